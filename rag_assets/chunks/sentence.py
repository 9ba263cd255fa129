"""Whole sentences, as many as fit, one passage after another."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .base import Budget, Span
from .markdown import Headings, make_parser, parse_sections
from .spans import finish
from .token_map import TokenMap
from .units import Units

if TYPE_CHECKING:
    from markdown_it import MarkdownIt


class SentenceSplitter:
    """See the module's docstring; the protocol is in ``base.py``."""

    name = "sentence"
    overlaps = False
    stable = False

    def __init__(self) -> None:
        self._parser: MarkdownIt | None = None

    def split(self, text: str, budget: Budget) -> list[Span]:
        if not text.strip():
            return []
        self._parser = self._parser or make_parser()
        headings = Headings(parse_sections(text, self._parser))
        tokens = TokenMap(text, budget.counter)
        units = Units(
            text, tokens, budget.least_room if budget.heading_context else budget.max_tokens
        )
        units.cut_sentences(0, len(text))
        positions = [0, *units.positions, len(text)]
        return finish(text, _filled(positions, tokens, headings, budget), budget, tokens)


def _filled(
    positions: list[int], tokens: TokenMap, headings: Headings, budget: Budget
) -> Iterator[Span]:
    costs = tokens.before(positions)
    first = 0
    while first < len(positions) - 1:
        path = headings.path_at(positions[first])
        limit = costs[first] + budget.room(path)
        last = max(first + 1, int(costs.searchsorted(limit, "right")) - 1)
        yield Span(positions[first], positions[last], path)
        first = last
