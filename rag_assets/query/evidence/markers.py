"""Citation markers in an answer's text: ``[1]``, ``[1, 2]``, ``[1][2]``, ``[1-3]``, ``【1】``.

Brackets that are something else stay: ``[sic]``, a Markdown link ``[1](https://…)``, code,
``array[0]``. A bracket that is glued to a word is a marker only when it points to something, for
models write ``Berlin[1]`` and people write ``array[7]``.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

LONGEST_RANGE = 20

_GROUP = (
    r"[\[【［]\s*(?:(?:passages?|sources?|documents?|quellen?)\s+)?"
    r"\d{1,3}(?:\s*[-–—,;]\s*\d{1,3})*\s*[\]】］]"
)
# not a link, a reference's definition, a footnote's text, an image
_RUN = re.compile(
    rf"(?<!!)(?:{_GROUP}[ \t]?)*{_GROUP}(?!\([^()\[\]\s]*\)|:\s*[^\s\[\]]+://)", re.IGNORECASE
)
_CODE = re.compile(r"(?P<ticks>`+)(?!`)[\s\S]+?(?<!`)(?P=ticks)(?!`)")
_PARTS = re.compile(r"(\d{1,3})(?:\s*[-–—]\s*(\d{1,3}))?")


@dataclass(frozen=True)
class Run:
    """Markers that stand together.

    Attributes:
        start, end: the span in the text.
        numbers: what they point to, in order, each once.
        glued: whether a letter or digit stands right before them.
    """

    start: int
    end: int
    numbers: tuple[int, ...]
    glued: bool


def find_runs(text: str, valid: Collection[int]) -> list[Run]:
    """The runs of markers in a text, in order.

    Args:
        text: an answer.
        valid: the numbers that point to something.
    """
    code = [match.span() for match in _CODE.finditer(text)]
    runs = []
    for match in _RUN.finditer(text):
        start, end = match.span()
        if any(first < end and start < last for first, last in code):
            continue
        glued = start > 0 and (text[start - 1].isalnum() or text[start - 1] == "_")
        numbers = _numbers(match.group())
        if glued and not any(number in valid for number in numbers):
            continue
        runs.append(Run(start, end, numbers, glued))
    return runs


def without_dangling(text: str, valid: Collection[int]) -> tuple[str, int]:
    """Remove what points to nothing.

    Returns:
        The text, and how many numbers were removed.
    """
    removed = 0
    while True:
        # what is left after a removal may itself read as a marker: again until nothing dangles
        dangling = [run for run in find_runs(text, valid) if not set(run.numbers) <= set(valid)]
        if not dangling:
            return text, removed
        for run in reversed(dangling):
            kept = [number for number in run.numbers if number in valid]
            removed += len(run.numbers) - len(kept)
            start = run.start
            if not kept and start > 0 and text[start - 1] in " \t":
                start -= 1
            text = text[:start] + written(kept) + text[run.end :]


def rewrite(text: str, runs: list[Run], replacement: Callable[[Run], str]) -> str:
    """Put something else in the place of each run."""
    for run in reversed(runs):
        text = text[: run.start] + replacement(run) + text[run.end :]
    return text


def written(numbers: Collection[int]) -> str:
    """Markers in the form in which answers leave the engine: ``[1][2]``."""
    return "".join(f"[{number}]" for number in dict.fromkeys(numbers))


def _numbers(run: str) -> tuple[int, ...]:
    found: list[int] = []
    for match in _PARTS.finditer(run):
        first, last = int(match[1]), int(match[2] or match[1])
        if first <= last <= first + LONGEST_RANGE:
            found.extend(range(first, last + 1))
        else:
            found.extend((first, last))
    return tuple(dict.fromkeys(found))
