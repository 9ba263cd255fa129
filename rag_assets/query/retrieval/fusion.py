"""Fusion of the legs of a hybrid search: scores of the union, by one of two methods.

``weighted``: every leg is normalised to [0, 1] by its least and greatest score among the
candidates, and the two are averaged with a weight (Bruch, Gai, Ingber: "An Analysis of Fusion
Functions for Hybrid Retrieval", 2023). ``rrf``: reciprocal rank fusion, the sum of
1 / (60 + rank) (Cormack, Clarke, Büttcher 2009), scaled to [0, 1]. A chunk that a leg did not find
has nothing from it.
"""

import numpy as np

from .candidates import Candidates

METHODS = ("weighted", "rrf")
RRF_CONSTANT = 60
# scores closer than this are rounding, and would be divided by almost nothing
SMALLEST_RANGE = 1e-9


def fuse(candidates: Candidates, method: str, weight: float) -> np.ndarray:
    """One score in [0, 1] for each candidate.

    Args:
        candidates: the union of the legs.
        method: ``weighted`` or ``rrf``.
        weight: share of the dense leg, from 0 to 1; with ``rrf`` it weighs the legs' terms alike.

    Returns:
        float64, shape (len(candidates),); a higher score is a better candidate.
    """
    if method == "rrf":
        top = 1 / (RRF_CONSTANT + 1)
        parts = [_reciprocal_ranks(leg) / top for leg in (candidates.dense, candidates.full_text)]
    else:
        parts = [_normalised(leg) for leg in (candidates.dense, candidates.full_text)]
    combined: np.ndarray = weight * parts[0] + (1 - weight) * parts[1]
    return combined


def best_first(candidates: Candidates, scores: np.ndarray) -> np.ndarray:
    """Positions of the candidates, best first; ties by chunk_id, so that the order is stable."""
    return np.lexsort((np.array(candidates.chunk_id, dtype=str), -scores))


def _normalised(scores: np.ndarray) -> np.ndarray:
    """Min–max to [0, 1], 0 where missing; where all scores are equal they are the best there is."""
    known = scores[~np.isnan(scores)]
    if not len(known):
        return np.zeros_like(scores)
    low, high = known.min(), known.max()
    scaled = (scores - low) / (high - low) if high - low > SMALLEST_RANGE else scores * 0 + 1
    return np.nan_to_num(scaled, nan=0.0)


def _reciprocal_ranks(scores: np.ndarray) -> np.ndarray:
    """1 / (60 + rank), rank 1 the best, equal scores of equal rank; 0 where missing."""
    known = np.unique(scores[~np.isnan(scores)])
    ranks = len(known) - np.searchsorted(known, scores)
    return np.where(np.isnan(scores), 0.0, 1 / (RRF_CONSTANT + ranks))
