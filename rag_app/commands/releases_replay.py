"""``ragline releases replay``."""


def replay() -> None:
    """Ask real questions of a release again."""
    raise NotImplementedError
