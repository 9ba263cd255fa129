"""Collapses hits that say the same in the same words, so that the budget buys different evidence.

A copy must be alike as a whole: the words that both have in the same order, as a share of the longer
one's words. And it must be equal where a small change is a different statement: numbers, negations
and dates with the words around them, names, and the headings it stands under. A fee of £150 and one
of £165, the rule for one country and that for another, two source files under one licence are all
kept. When in doubt nothing is merged: that costs a few tokens, a wrong merge costs an answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rag_assets.query.answer import Hit

from .wording import Wording


@dataclass(frozen=True)
class Distinct:
    """A hit that stands for itself and its copies.

    Attributes:
        rank: among the distinct hits, from 0 for the best.
        copies: document_ids of the copies in other documents, best first, each once.
    """

    rank: int
    hit: Hit
    copies: tuple[str, ...] = ()


def collapse(hits: Sequence[Hit], likeness: float) -> list[Distinct]:
    """The hits without those that copy a better one.

    Args:
        hits: best first, all of them readable by the caller.
        likeness: from which a hit counts as a copy; 1: only where every word is the same.

    Returns:
        In the order of the hits; the best of each group of copies stays.
    """
    first: dict[str, Hit] = {}
    for hit in hits:
        first.setdefault(hit.chunk_id, hit)
    wordings = [Wording(hit) for hit in first.values()]
    alike = _likeness(wordings, likeness) >= likeness
    kept: dict[int, dict[str, None]] = {}
    for number, wording in enumerate(wordings):
        for original, copies in kept.items():
            if alike[original, number] and _states_the_same(wordings[original], wording):
                if wording.hit.document_id != wordings[original].hit.document_id:
                    copies[wording.hit.document_id] = None
                break
        else:
            kept[number] = {}
    return [
        Distinct(rank, wordings[number].hit, tuple(copies))
        for rank, (number, copies) in enumerate(kept.items())
    ]


def _likeness(wordings: Sequence[Wording], least: float) -> Any:
    """Likeness of each to each: float32, shape (n, n), from 0 to 1; 0 for what is below least."""
    from rapidfuzz.distance import LCSseq
    from rapidfuzz.process import cdist

    # texts of one character a word compare several times faster than lists of words
    codes: dict[str, int] = {}
    texts = ["".join(chr(codes.setdefault(w, len(codes))) for w in one.words) for one in wordings]
    return cdist(texts, texts, scorer=LCSseq.normalized_similarity, score_cutoff=least)


def _states_the_same(one: Wording, other: Wording) -> bool:
    if not one.words or not other.words:
        return one.hit.text == other.hit.text
    facts = one.critical == other.critical and one.names == other.names
    return facts and _same_place(one.headings, other.headings)


def _same_place(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one path of headings ends with the other: formats differ in how much they know."""
    shared = min(len(one), len(other))
    return not shared or one[-shared:] == other[-shared:]
