"""``ragline forget``."""


def forget() -> None:
    """Remove every trace of a document."""
    raise NotImplementedError
