"""Where sentences begin: the main rules of Unicode's sentence boundaries (UAX 29), and blocks.

No library among the project's dependencies gives sentence offsets (semantic-text-splitter uses
such boundaries but does not show them), and the models that others use cost more than the rest of
chunking. A boundary that is missed or superfluous costs a little quality, never a character.
"""

import re
from collections.abc import Iterator

_CLOSERS = r"[\"'”’»)\]\}】」』）》]"
_BOUNDARY = re.compile(
    # a full stop or the like, once per run of them, closing quotes, then white space
    rf"(?<![.!?…])(?P<stop>[.!?…؟۔।]++){_CLOSERS}*+\s+"
    # CJK stops need no white space after them
    rf"|[。！？｡]++{_CLOSERS}*+\s*+"
    # a blank line, or a line that begins a list item, a heading, a quotation or a table row
    r"|\n\s*\n\s*|\n(?=[ \t]*(?:[-*+]\s|[|#>]|\d{1,9}[.)]\s))"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Za-z]|[A-Za-z]\.[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|Sen|Rep|Gov|Gen|Col|St|Jr|Sr|vs|cf|ca"
    r"|approx|Fig|fig|Eq|eq|Sec|sec|No|no|Vol|vol|pp|Art|Inc|Ltd|Co|Corp|Nr|bzw|usw|etc|al))$"
)
_LOOK_BACK = 12


def sentence_starts(text: str, start: int, end: int) -> Iterator[int]:
    """The offsets in ``(start, end)`` at which a sentence begins, in order."""
    for match in _BOUNDARY.finditer(text, start, end):
        position = match.end()
        if position >= end:
            return
        if match["stop"] is None or not _continues(text, match.start(), match["stop"], position):
            yield position


def _continues(text: str, stop_at: int, stop: str, position: int) -> bool:
    """Whether the sentence goes on after a stop: a small letter follows, or an abbreviation."""
    if text[position].islower():
        return True
    if stop != ".":
        return False
    return _ABBREVIATION.search(text[max(0, stop_at - _LOOK_BACK) : stop_at]) is not None
