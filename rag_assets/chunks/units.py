"""The smallest parts that a body of text is made of: blocks, and inside long blocks smaller units.

Every boundary has a strength, which says how good a place to cut it is.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .markdown import Block
from .sentences import sentence_starts
from .token_map import TokenMap

BLOCK, INNER_BLOCK, PARAGRAPH_OF_CODE, LINE, SENTENCE, WORD, TOKEN = 7, 6, 5, 4, 3, 2, 1
LOOK_BACK = 16  # characters searched for the line break before a sentence

_LINE_END = re.compile(r"\r\n?|\n")
_WORD_START = re.compile(r"(?<=\s)\S")


class Table(NamedTuple):
    """A table that is cut between rows."""

    start: int
    header_end: int
    end: int


class Units:
    """The boundaries inside a range of text, fine enough that no unit exceeds a capacity.

    Args:
        text: the document.
        tokens: its tokens.
        capacity: most tokens of a unit.

    Attributes:
        positions: offsets of the boundaries, in order, without both ends of the range.
        strengths: for each, how good a place to cut it is.
        tables: the tables that have boundaries between their rows.
    """

    def __init__(self, text: str, tokens: TokenMap, capacity: int) -> None:
        self._text = text
        self._tokens = tokens
        self._capacity = capacity
        self.positions: list[int] = []
        self.strengths: list[int] = []
        self.tables: list[Table] = []

    def cut_blocks(
        self, start: int, end: int, blocks: Sequence[Block], strength: int = BLOCK
    ) -> None:
        """Put a boundary before each block but the first, and inside blocks that are too long.

        What stands before the first block (a heading, a list marker) stays with it; what stands
        between blocks without being one is a unit of its own.
        """
        parts = self._parts(start, end, blocks)
        for (position, block), (following, _) in zip(parts, [*parts[1:], (end, None)], strict=True):
            if position > start:
                self._add(position, strength)
            if self._long(position, following):
                self._cut_block(position, following, block)

    def cut_sentences(self, start: int, end: int) -> None:
        """Put a boundary before each sentence but the first; long sentences are cut at lines."""
        cuts = [
            (position, LINE if self._begins_line(position) else SENTENCE)
            for position in sentence_starts(self._text, start, end)
        ]
        self._cut_at(start, end, cuts, self._cut_long)

    def _parts(
        self, start: int, end: int, blocks: Sequence[Block]
    ) -> list[tuple[int, Block | None]]:
        parts: list[tuple[int, Block | None]] = []
        covered = start
        for block in blocks:
            if parts and self._text[covered : block.start].strip():
                parts.append((covered, None))
            parts.append((block.start if parts else start, block))
            covered = max(covered, block.end)
        if not parts:
            return [(start, None)]
        if self._text[covered:end].strip():
            parts.append((covered, None))
        return parts

    def _cut_block(self, start: int, end: int, block: Block | None) -> None:
        if block and block.children:
            self.cut_blocks(start, end, block.children, INNER_BLOCK)
        elif block and block.kind == "table":
            self._cut_table(start, end, block)
        elif block and block.kind in ("code", "html"):
            self._cut_code(start, end)
        else:
            self.cut_sentences(start, end)

    def _cut_table(self, start: int, end: int, block: Block) -> None:
        """Header and delimiter row stay with the first row."""
        lines = [position for position in self._lines(start, end) if position > block.start]
        if len(lines) > 1:
            self.tables.append(Table(block.start, lines[1], block.end))
        self._cut_at(start, end, [(line, LINE) for line in lines[2:]], self.cut_sentences)

    def _cut_code(self, start: int, end: int) -> None:
        """Blank lines are the better places; an opening or closing fence stays with its code."""
        text = self._text
        cuts = []
        for position in self._lines(start, end)[1:]:
            if text[position : position + 80].lstrip(" >").startswith(("```", "~~~")):
                continue
            blank = text[max(start, position - 2) : position] in ("\n\n", "\n\r")
            cuts.append((position, PARAGRAPH_OF_CODE if blank else LINE))
        self._cut_at(start, end, cuts, self._cut_long)

    def _cut_long(self, start: int, end: int) -> None:
        """A sentence that is too long: lines, then words, then tokens."""
        self._cut_at(
            start, end, [(line, LINE) for line in self._lines(start, end)], self._cut_words
        )

    def _cut_words(self, start: int, end: int) -> None:
        words = [
            (match.start(), WORD) for match in _WORD_START.finditer(self._text, start + 1, end)
        ]
        self._cut_at(start, end, words, self._cut_tokens)

    def _cut_tokens(self, start: int, end: int) -> None:
        first, last = self._tokens.starts.searchsorted((start + 1, end))
        for position in dict.fromkeys(self._tokens.starts[first:last].tolist()):
            self._add(position, TOKEN)

    def _cut_at(
        self,
        start: int,
        end: int,
        cuts: Sequence[tuple[int, int]],
        refine: Callable[[int, int], None],
    ) -> None:
        """Put boundaries at some positions, and finer ones between them where it is too long."""
        positions = [start, *(position for position, _ in cuts), end]
        costs = self._tokens.before(positions).tolist()
        for index in range(len(positions) - 1):
            if index:
                self._add(*cuts[index - 1])
            if costs[index + 1] - costs[index] > self._capacity:
                refine(positions[index], positions[index + 1])

    def _lines(self, start: int, end: int) -> list[int]:
        """The offsets inside a range at which a line begins."""
        starts = (match.end() for match in _LINE_END.finditer(self._text, start, end))
        return [position for position in starts if position < end]

    def _begins_line(self, position: int) -> bool:
        before = self._text[max(0, position - LOOK_BACK) : position].rstrip(" \t")
        return before.endswith(("\n", "\r"))

    def _add(self, position: int, strength: int) -> None:
        self.positions.append(position)
        self.strengths.append(strength)

    def _long(self, start: int, end: int) -> bool:
        return self._tokens.cost(start, end) > self._capacity
