"""Numbers in sentences: one document is, two documents are."""


def counted(number: float, one: str, many: str = "") -> str:
    """A number of things, e.g. ``1 passage`` or ``1,234 passages``.

    Args:
        number: how many.
        one: what one of them is called.
        many: what several are called; default: ``one`` with an s.
    """
    shown = f"{number:,}" if isinstance(number, int) else f"{number:g}"
    return f"{shown} {agreeing(number, one, many or f'{one}s')}"


def agreeing(number: float, one: str, many: str) -> str:
    """The word that goes with a number, e.g. ``is`` or ``are``."""
    return one if number == 1 else many
