"""Learning how to fuse the legs of a hybrid search from judged questions."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evals.retrieval_evaluation.metrics import score_rankings
from evals.statistics import standard_error
from rag_assets.query.retrieval.candidates import Candidates
from rag_assets.query.retrieval.fusion import fuse

DEGREE = 4
STEPS = 20
WEIGHTS = tuple(step / STEPS for step in range(STEPS + 1))


@dataclass(frozen=True)
class LearnedFusion:
    """The weight that was chosen and what every weight was worth.

    Attributes:
        weight: share of the dense leg.
        value: mean of the metric at that weight on the questions learned from.
        curve: mean of the metric at each of ``WEIGHTS``.
        questions: how many were learned from.
    """

    weight: float
    value: float
    curve: tuple[float, ...]
    questions: int


def rank_documents(candidates: Candidates, scores: np.ndarray, limit: int) -> list[str]:
    """Documents by their best passage, best first; ties by document_id.

    Args:
        scores: one for each candidate, shape (len(candidates),).
        limit: most documents.
    """
    if not len(candidates):
        return []
    documents, index = np.unique(np.array(candidates.document_id, dtype=str), return_inverse=True)
    best = np.full(len(documents), -np.inf)
    np.maximum.at(best, index, scores)
    # documents are sorted by name, and a stable sort keeps that order among equals
    order = np.argsort(-best, kind="stable")[:limit]
    return [str(document) for document in documents[order]]


def rank_all(
    candidates: Mapping[str, Candidates], method: str, weight: float, limit: int
) -> dict[str, list[str]]:
    """The documents of every question under one fusion; see ``rank_documents``."""
    return {
        question: rank_documents(found, fuse(found, method, weight), limit)
        for question, found in candidates.items()
    }


def learn_fusion(
    candidates: Mapping[str, Candidates],
    relevant: Mapping[str, Mapping[str, int]],
    k: int = 10,
    incumbent: float | None = None,
) -> LearnedFusion:
    """Choose the weight that gives the best nDCG@k, as far as the questions can tell.

    The mean over the questions is measured at every weight and smoothed by a polynomial of degree
    four, whose greatest value is the choice: the raw greatest value follows the accidents of few
    questions. Then the fusion must prove itself: where it is not better than the better leg alone by
    one standard error of the paired difference, that leg alone is chosen.

    Args:
        candidates: what both legs found, of the questions in ``relevant``.
        relevant: question → document → grade, of the training half only.
        k: cutoff of the metric.
        incumbent: the weight in use; it stays unless the new one is better by one standard error,
            so that few questions do not move it to and fro.

    Raises:
        ValueError: there are no questions.
    """
    if not relevant:
        raise ValueError("there is nothing to learn a weight from")
    name = f"ndcg@{k}"
    found = {question: candidates[question] for question in relevant}
    values = np.stack(
        [
            score_rankings(rank_all(found, "weighted", weight, k), relevant, [name])[name]
            for weight in WEIGHTS
        ]
    )
    chosen = choose_weight(values)
    if incumbent is not None:
        present = int(np.argmin(np.abs(np.array(WEIGHTS) - incumbent)))
        chosen = chosen if _better(values[chosen], values[present]) else present
    means = values.mean(axis=1)
    return LearnedFusion(
        WEIGHTS[chosen], float(means[chosen]), tuple(map(float, means)), len(relevant)
    )


def choose_weight(values: np.ndarray) -> int:
    """The position in ``WEIGHTS`` to choose; see ``learn_fusion``.

    Args:
        values: the metric, shape (len(WEIGHTS), questions).
    """
    means = values.mean(axis=1)
    fitted = np.polynomial.Polynomial.fit(WEIGHTS, means, DEGREE)
    chosen = int(np.argmax(fitted(np.array(WEIGHTS))))
    better_leg = 0 if means[0] > means[-1] else len(WEIGHTS) - 1
    return chosen if _better(values[chosen], values[better_leg]) else better_leg


def _better(values: np.ndarray, others: np.ndarray) -> bool:
    """Whether some values are better than others by one standard error of the difference."""
    gains = values - others
    return bool(gains.mean() > standard_error(gains))
