"""Markdown of texts that nobody vouches for: questions, titles and ids say what they are told to."""

import re
from collections.abc import Iterable, Sequence

# a character reference never is structure (CommonMark 0.31, section 2.5), a backslash may be
_SPECIAL = re.compile(r"[&<>|`*_\[\]\\~#!$@{}]|(?<=[A-Za-z]):(?=//)|(?<=[wW]{3})\.")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\s]+")
# characters that change the direction of what follows, and could disguise it
_DIRECTION = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
LONGEST = 300


def escaped(text: str, longest: int = LONGEST) -> str:
    """A text as one line of Markdown that shows it as it is, and is nothing else.

    Args:
        longest: most characters that are shown.
    """
    line = _CONTROL.sub(" ", _DIRECTION.sub("", text)).strip()
    if len(line) > longest:
        line = f"{line[: longest - 1].rstrip()}…"
    return _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", line)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the cells are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
