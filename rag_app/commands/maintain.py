"""``ragline maintain``."""


def maintain() -> None:
    """Retire old releases and reclaim their space."""
    raise NotImplementedError
