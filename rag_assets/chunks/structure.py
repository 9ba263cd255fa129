"""The default splitter: passages follow the sections and blocks of the document.

A section that fits the budget is one passage. Otherwise its own body and each of its sub-sections
are cut separately, and very small neighbours are put together. A body that is too long is divided
(``divide.py``) at blocks; blocks that are too long at items, rows or lines, then at sentences, then
at words. A heading stays with what follows it. A passage of table rows without their header row
gets that row as its lead.
"""

import bisect
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from .base import Budget, Span
from .divide import divide, text_rank
from .markdown import Section, make_parser, parse_sections
from .spans import finish
from .token_map import TokenMap
from .units import Table, Units

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

SMALL = 0.25  # share of the room under which neighbouring sections are put together
TINY = 0.12  # share of the room under which a passage joins a larger neighbour


@dataclass(slots=True)
class _Piece:
    start: int
    end: int
    path: tuple[str, ...]
    whole: bool = False  # a whole section, or the last part of a body: may join its neighbours
    lead: str = ""


class StructureSplitter:
    """See the module's docstring; the protocol is in ``base.py``."""

    name = "structure"
    overlaps = False
    stable = True

    def __init__(self) -> None:
        self._parser: MarkdownIt | None = None

    def split(self, text: str, budget: Budget) -> list[Span]:
        if not text.strip():
            return []
        self._parser = self._parser or make_parser()
        cut = _Cut(text, budget)
        pieces = cut.section(parse_sections(text, self._parser), 0)
        spans = (Span(piece.start, piece.end, piece.path, piece.lead) for piece in pieces)
        return finish(text, spans, budget, cut.tokens)


class _Cut:
    """The cutting of one document."""

    def __init__(self, text: str, budget: Budget) -> None:
        self.text = text
        self.budget = budget
        self.tokens = TokenMap(text, budget.counter)
        self._rooms: dict[tuple[str, ...], int] = {}

    def section(self, section: Section, start: int, outer: tuple[str, ...] = ()) -> list[_Piece]:
        """Cut a section; ``start`` may lie before it, to take in headings that have no body."""
        if self.tokens.cost(start, section.end) <= self._room(outer):
            return [_Piece(start, section.end, section.path, whole=True)]
        groups: list[list[_Piece]] = []
        carried: int | None = start
        if self._has_body(section):
            groups.append(self._body(section, start))
            carried = None
        room = self._room(section.path)
        for child in section.children:
            child_start = child.start if carried is None else carried
            bare = not child.children and not self._has_body(child)
            if bare and self.tokens.cost(child_start, child.end) <= SMALL * room:
                carried = child_start
                continue
            groups.append(self.section(child, child_start, section.path))
            carried = None
        pieces = self._together([piece for group in groups for piece in group], section.path, room)
        if carried is not None:
            pieces.append(_Piece(carried, section.end, section.path, whole=True))
            pieces = self._tiny_joined(pieces, section.path, room)
        return pieces

    def _room(self, path: tuple[str, ...]) -> int:
        if path not in self._rooms:
            self._rooms[path] = self.budget.room(path)
        return self._rooms[path]

    def _has_body(self, section: Section) -> bool:
        """Whether a section has text of its own besides its heading."""
        return bool(self.text[section.body_start : section.body_end].strip())

    def _body(self, section: Section, start: int) -> list[_Piece]:
        """Cut the text of a section that stands before its sub-sections."""
        end = section.body_end
        room = self._room(section.path)
        if self.tokens.cost(start, end) <= room:
            return [_Piece(start, end, section.path, whole=True)]
        units = Units(self.text, self.tokens, room)
        units.cut_blocks(start, end, section.blocks)
        if units.tables and self.budget.heading_context:
            # rows need the header's tokens beside them: cut again, finer
            widest = max(self.tokens.cost(table.start, table.header_end) for table in units.tables)
            room = self.budget.room(section.path, widest)
            units = Units(self.text, self.tokens, room)
            units.cut_blocks(start, end, section.blocks)
        positions = [start, *units.positions, end]
        ranks = [
            text_rank(self.text, left, right)
            for left, right in zip(positions, [*positions[1:], end], strict=True)
        ]
        cuts = divide(self.tokens.before(positions), [0, *units.strengths, 0], ranks, room)
        return [
            _Piece(
                positions[first],
                positions[last],
                section.path,
                whole=positions[last] == end,
                lead=self._lead(units.tables, positions[first]),
            )
            for first, last in pairwise(cuts)
        ]

    def _lead(self, tables: list[Table], start: int) -> str:
        """The header row of the table inside whose rows a passage starts."""
        index = bisect.bisect_right(tables, start, key=lambda table: table.start) - 1
        if index < 0 or not tables[index].header_end <= start < tables[index].end:
            return ""
        table = tables[index]
        return self.text[table.start : table.header_end].split("\n")[0].strip()

    def _together(self, pieces: list[_Piece], path: tuple[str, ...], room: int) -> list[_Piece]:
        """Put runs of small neighbours together, then tiny ones with a larger neighbour."""
        result: list[_Piece] = []
        run: list[_Piece] = []
        for piece in pieces:
            if piece.whole and self.tokens.cost(piece.start, piece.end) < SMALL * room:
                run.append(piece)
                continue
            result += self._run(run, path, room)
            run = []
            result.append(piece)
        return self._tiny_joined(result + self._run(run, path, room), path, room)

    def _run(self, run: list[_Piece], path: tuple[str, ...], room: int) -> list[_Piece]:
        if len(run) < 2:
            return run
        positions = [*(piece.start for piece in run), run[-1].end]
        ranks = [text_rank(self.text, p.start, p.end) for p in run]
        cuts = divide(self.tokens.before(positions), [0] * len(positions), [*ranks, 0], room)
        return [
            _Piece(run[first].start, run[last - 1].end, path, True)
            if last - first > 1
            else run[first]
            for first, last in pairwise(cuts)
        ]

    def _tiny_joined(self, pieces: list[_Piece], path: tuple[str, ...], room: int) -> list[_Piece]:
        """A tiny passage joins the following one, or else the one before, if they fit together."""
        result: list[_Piece] = []
        for piece in pieces:
            if result and self._tiny(result[-1], room) and self._fit(result[-1], piece, room):
                result[-1] = _Piece(result[-1].start, piece.end, path, piece.whole, result[-1].lead)
                continue
            self._settle(result, room)
            result.append(piece)
        self._settle(result, room)
        return result

    def _settle(self, pieces: list[_Piece], room: int) -> None:
        """Let a tiny last passage join the one before it."""
        if (
            len(pieces) > 1
            and self._tiny(pieces[-1], room)
            and self._fit(pieces[-2], pieces[-1], room)
        ):
            last = pieces.pop()
            pieces[-1] = replace(pieces[-1], end=last.end)

    def _fit(self, first: _Piece, second: _Piece, room: int) -> bool:
        return self.tokens.cost(first.start, second.end) <= room

    def _tiny(self, piece: _Piece, room: int) -> bool:
        return piece.whole and self.tokens.cost(piece.start, piece.end) < TINY * room
