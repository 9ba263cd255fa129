"""Splits at the largest Markdown unit that fits, with overlap: semantic-text-splitter as it is.

It counts tokens for many candidate ranges, so it is slower than ``structure``, and it fills
passages one after another, so an edit moves the boundaries after it up to the next heading.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .base import Budget, Span
from .markdown import Headings, make_parser, parse_sections
from .spans import finish
from .token_map import LONG_TOKEN, TokenMap
from .units import Units

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

CONTEXT_SHARE = 0.2  # of the budget, left for title and headings
LONG_WORD = 1000  # characters without white space that the library would take minutes for

_LONG_WORDS = re.compile(rf"(?<!\S)\S{{{LONG_WORD},}}")


class RecursiveSplitter:
    """See the module's docstring; the protocol is in ``base.py``."""

    name = "recursive"
    overlaps = True
    stable = False

    def __init__(self) -> None:
        self._parser: MarkdownIt | None = None

    def split(self, text: str, budget: Budget) -> list[Span]:
        if not text.strip():
            return []
        self._parser = self._parser or make_parser()
        headings = Headings(parse_sections(text, self._parser))
        capacity = budget.max_tokens
        if budget.heading_context:
            capacity -= int(CONTEXT_SHARE * budget.max_tokens)
        ranges = sorted(self._ranges(text, budget, capacity))
        return finish(
            text, (Span(start, end, headings.path_at(start)) for start, end in ranges), budget
        )

    def _ranges(self, text: str, budget: Budget, capacity: int) -> Iterator[tuple[int, int]]:
        from semantic_text_splitter import MarkdownSplitter

        counter = budget.counter
        splitter = MarkdownSplitter.from_callback(
            lambda part: max(counter.count(part), len(part) // LONG_TOKEN),
            capacity,
            overlap=min(budget.overlap_tokens, capacity // 2),
        )
        done = 0
        for word in [*_LONG_WORDS.finditer(text), None]:
            until = word.start() if word else len(text)
            for offset, part in splitter.chunk_indices(text[done:until]):
                yield done + offset, done + offset + len(part)
            if word:
                yield from _cut_word(text, word.start(), word.end(), budget, capacity)
                done = word.end()


def _cut_word(
    text: str, start: int, end: int, budget: Budget, capacity: int
) -> Iterator[tuple[int, int]]:
    """Fill ranges of a very long word with tokens."""
    word = text[start:end]
    tokens = TokenMap(word, budget.counter)
    units = Units(word, tokens, 1)
    units.cut_sentences(0, len(word))
    positions = [0, *units.positions, len(word)]
    costs = tokens.before(positions)
    first = 0
    while first < len(positions) - 1:
        last = max(first + 1, int(costs.searchsorted(costs[first] + capacity, "right")) - 1)
        yield start + positions[first], start + positions[last]
        first = last
