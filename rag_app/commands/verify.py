"""``ragline verify``."""


def verify() -> None:
    """Compare a release with what it should hold."""
    raise NotImplementedError
