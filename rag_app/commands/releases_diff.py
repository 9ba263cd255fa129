"""``ragline releases diff``."""


def diff() -> None:
    """Compare two releases."""
    raise NotImplementedError
