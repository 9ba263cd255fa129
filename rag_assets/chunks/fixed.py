"""Windows of a fixed number of tokens with overlap, whatever the text says: the baseline."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .base import Budget, Span
from .markdown import Headings, make_parser, parse_sections
from .spans import finish, grapheme_start
from .token_map import TokenMap

if TYPE_CHECKING:
    from markdown_it import MarkdownIt


class FixedSplitter:
    """See the module's docstring; the protocol is in ``base.py``."""

    name = "fixed"
    overlaps = True
    stable = False

    def __init__(self) -> None:
        self._parser: MarkdownIt | None = None

    def split(self, text: str, budget: Budget) -> list[Span]:
        if not text.strip():
            return []
        self._parser = self._parser or make_parser()
        headings = Headings(parse_sections(text, self._parser))
        tokens = TokenMap(text, budget.counter)
        return finish(text, _windows(text, tokens, headings, budget), budget, tokens)


def _windows(text: str, tokens: TokenMap, headings: Headings, budget: Budget) -> Iterator[Span]:
    starts = tokens.starts
    first, start = 0, 0
    while start < len(text):
        path = headings.path_at(start)
        room = budget.room(path)
        end = len(text)
        if first + room < len(starts):
            end = grapheme_start(text, max(start + 1, int(starts[first + room])), start + 1)
        yield Span(start, end, path)
        if end == len(text):
            return
        # the next window begins earlier by the overlap, but always makes headway
        overlap = min(budget.overlap_tokens, room // 2)
        following = int(starts.searchsorted(end))
        start = max(start + 1, int(starts[following - overlap])) if overlap else end
        first = int(starts.searchsorted(start))
