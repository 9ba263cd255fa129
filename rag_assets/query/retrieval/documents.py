"""From passages to documents: a document is as good as its best passage."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from rag_assets.query.answer import Hit

from .candidates import Candidates


@dataclass(frozen=True)
class DocumentHit:
    """One document found: ``hit`` is its best passage, whose score is the document's."""

    document_id: str
    score: float
    hit: Hit
    passages: int = field(default=1)


def rank_documents(candidates: Candidates, scores: np.ndarray) -> list[tuple[str, float]]:
    """Documents by the score of their best passage (max-passage scoring), best first.

    Ties are broken by document_id, so that the order is always the same. Source: Dai, Callan,
    "Deeper Text Understanding for IR with Contextual Neural Language Modeling" (2019), MaxP.
    """
    best: dict[str, float] = {}
    for document, score in zip(candidates.document_id, scores.tolist(), strict=True):
        if score > best.get(document, float("-inf")):
            best[document] = score
    return sorted(best.items(), key=lambda item: (-item[1], item[0]))


def best_passages(hits: Sequence[Hit]) -> list[DocumentHit]:
    """One entry for each document among hits that are in order, best first."""
    first: dict[str, Hit] = {}
    count: dict[str, int] = {}
    for hit in hits:
        first.setdefault(hit.document_id, hit)
        count[hit.document_id] = count.get(hit.document_id, 0) + 1
    return [DocumentHit(name, hit.score, hit, count[name]) for name, hit in first.items()]
