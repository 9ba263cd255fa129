"""Keeps passages within a budget of tokens.

The budget is spent in the order of worth: first the hits as they are ranked, then their neighbours,
the nearest first and among those the best hit's first. It ends with the first chunk that does not
fit. So neighbours go before any hit does, the worst hits go first, and no neighbour is kept without
those between it and its hit.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from rag_assets.query.answer import Hit, Passage

from .duplicates import Distinct
from .neighbours import Stretch
from .sentence_cut import cut_to_fit

CountTokens = Callable[[str], int]


@dataclass(frozen=True)
class Fitted:
    """What fits: passages, not numbered yet (all 0), and whether the best hit had to be cut."""

    passages: list[Passage]
    cut: bool = False


def fit(stretches: Sequence[Stretch], budget: int, count_tokens: CountTokens) -> Fitted:
    """The passages for which a budget is enough.

    Args:
        stretches: disjoint, ordered by their best hit.
        budget: most tokens of all passages' texts together.
        count_tokens: tokens of a text.

    Returns:
        Passages in the order of their best hit. The best hit of all is always there, cut at the end
        of a sentence if it alone is over the budget; nothing where not one character of it fits.
    """
    if not stretches:
        return Fitted([])
    best = stretches[0].found[0]
    if count_tokens(best.hit.text) > budget:
        shorter = cut_to_fit(best.hit, budget, count_tokens)
        if shorter is None:
            return Fitted([])
        return Fitted([_passage([best], [shorter], count_tokens)], cut=True)
    fitted: dict[int, Passage] = {}
    chosen: dict[int, set[str]] = {}
    spent = 0
    for number, chunk in _in_order_of_worth(stretches):
        selected = chosen.get(number, set()) | {chunk.chunk_id}
        passage = _selected(stretches[number], selected, count_tokens)
        before = fitted[number].tokens if number in fitted else 0
        if spent - before + passage.tokens > budget:
            break
        spent += passage.tokens - before
        fitted[number], chosen[number] = passage, selected
    return Fitted([fitted[number] for number in sorted(fitted)])


def _in_order_of_worth(stretches: Sequence[Stretch]) -> Iterator[tuple[int, Hit]]:
    """Every chunk with the number of its stretch."""
    ranked = [(one.rank, number, one.hit) for number, s in enumerate(stretches) for one in s.found]
    for _, number, hit in sorted(ranked, key=lambda entry: entry[0]):
        yield number, hit
    neighbours = []
    for number, stretch in enumerate(stretches):
        hits = {one.hit.chunk_id for one in stretch.found}
        for part in stretch.parts:
            if part.chunk_id not in hits:
                nearest = min(
                    (abs(part.ordinal - one.hit.ordinal), one.rank) for one in stretch.found
                )
                neighbours.append((*nearest, part.ordinal, number, part))
    for _, _, _, number, part in sorted(neighbours, key=lambda entry: entry[:4]):
        yield number, part


def _selected(stretch: Stretch, chunk_ids: set[str], count_tokens: CountTokens) -> Passage:
    found = [one for one in stretch.found if one.hit.chunk_id in chunk_ids]
    parts = [part for part in stretch.parts if part.chunk_id in chunk_ids]
    return _passage(found, parts, count_tokens)


def _passage(found: Sequence[Distinct], parts: Sequence[Hit], count_tokens: CountTokens) -> Passage:
    """A passage under its best hit; the copies are those of all its hits."""
    own = parts[0].document_id
    copies = dict.fromkeys(name for one in found for name in one.copies if name != own)
    best = next(part for part in parts if part.chunk_id == found[0].hit.chunk_id)
    passage = Passage(0, best, tuple(parts), tuple(copies))
    return replace(passage, tokens=count_tokens(passage.text))
