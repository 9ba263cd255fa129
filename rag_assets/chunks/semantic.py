"""Cuts where the meaning changes most: between neighbouring groups of sentences that differ.

Every sentence is encoded together with its neighbours. Where the cosine distance between one group
and the next is in the top share of the document, a passage ends; passages over the budget are cut
again at their largest distance. The threshold depends on the whole document, so an edit may move
boundaries anywhere; and encoding the groups costs more than encoding the passages.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from .base import Budget, Span
from .divide import divide
from .markdown import Headings, make_parser, parse_sections
from .spans import finish
from .token_map import TokenMap
from .units import Units

if TYPE_CHECKING:
    import numpy as np
    from markdown_it import MarkdownIt

PERCENTILE = 90.0  # distances above it end a passage
NEIGHBOURS = 1  # sentences before and after that are encoded with a sentence
LEAST = 0.1  # share of the budget under which a passage is not cut off
ROUNDING = 4  # decimals of a distance that count: encoders differ in the last bits

Encode = Callable[[Sequence[str]], "np.ndarray"]


class SemanticSplitter:
    """See the module's docstring; the protocol is in ``base.py``.

    Args:
        encode: texts to unit vectors, shape ``(len(texts), dimensions)``.
        percentile: distances above this percentile of a document end a passage.
    """

    name = "semantic"
    overlaps = False
    stable = False

    def __init__(self, encode: Encode, percentile: float = PERCENTILE) -> None:
        self._encode = encode
        self._percentile = percentile
        self._parser: MarkdownIt | None = None

    def split(self, text: str, budget: Budget) -> list[Span]:
        if not text.strip():
            return []
        self._parser = self._parser or make_parser()
        headings = Headings(parse_sections(text, self._parser))
        tokens = TokenMap(text, budget.counter)
        room = budget.least_room if budget.heading_context else budget.max_tokens
        units = Units(text, tokens, room)
        units.cut_sentences(0, len(text))
        positions = [0, *units.positions, len(text)]
        cuts = self._cuts(text, positions, tokens, room)
        spans = (
            Span(positions[first], positions[last], headings.path_at(positions[first]))
            for first, last in pairwise(cuts)
        )
        return finish(text, spans, budget, tokens)

    def _cuts(self, text: str, positions: list[int], tokens: TokenMap, room: int) -> list[int]:
        """Indices of the positions at which passages begin or end."""
        import numpy as np

        costs = tokens.before(positions)
        if costs[-1] - costs[0] <= room * LEAST or len(positions) < 3:
            return [0, len(positions) - 1]
        # boundary i lies before unit i; both ends of the text are boundaries too
        distances = np.concatenate([[0.0], self._distances(text, positions), [0.0]]).round(ROUNDING)
        limit = np.percentile(distances[1:-1], self._percentile)
        breaks = [0]
        for index in range(1, len(positions) - 1):
            if distances[index] > limit and costs[index] - costs[breaks[-1]] >= LEAST * room:
                breaks.append(index)
        breaks.append(len(positions) - 1)
        cuts = [0]
        for first, last in pairwise(breaks):
            ranks = (-distances[first : last + 1] * 10**ROUNDING).astype(np.int64)
            inner = divide(costs[first : last + 1], [0] * (last - first + 1), ranks.tolist(), room)
            cuts.extend(first + index for index in inner[1:])
        return cuts

    def _distances(self, text: str, positions: list[int]) -> "np.ndarray":
        """The cosine distance across each inner boundary, shape (units - 1,)."""
        units = len(positions) - 1
        groups = [
            text[
                positions[max(0, i - NEIGHBOURS)] : positions[min(units, i + 1 + NEIGHBOURS)]
            ].strip()
            for i in range(units)
        ]
        vectors = self._encode(groups)
        return 1.0 - (vectors[:-1] * vectors[1:]).sum(axis=1)
