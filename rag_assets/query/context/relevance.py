"""Leaves out what is far less relevant than the best."""

from collections.abc import Sequence

from rag_assets.query.answer import Hit


def relevant(hits: Sequence[Hit], share: float) -> list[Hit]:
    """The hits whose score is at least a share of the best score, in their order.

    Args:
        hits: of one search.
        share: from 0 (all of them) to 1 (only those as good as the best).

    Returns:
        Never empty unless ``hits`` is. All of them where no score is positive: a share of such a
        score means nothing (logits of a reranker, say).
    """
    best = max((hit.score for hit in hits), default=0.0)
    if share <= 0 or best <= 0:
        return list(hits)
    return [hit for hit in hits if hit.score >= share * best]
