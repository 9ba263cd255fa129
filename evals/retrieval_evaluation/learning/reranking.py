"""Does a reranker help, and how much of the order is to be its own? Judged questions decide.

Everything here follows what the engine does with a reranker at query time
(``rag_assets.query.retrieval.retrieve``), on searches that have been made already.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evals.retrieval_evaluation.metrics import score_rankings
from evals.retrieval_evaluation.retrieve import Progress
from evals.statistics import standard_error
from rag_assets.platform.errors import RerankerError
from rag_assets.platform.settings import QuerySettings
from rag_assets.query.engine import Retrieval
from rag_assets.query.rerankers.base import Reranker
from rag_assets.query.rerankers.blend import blend
from rag_assets.query.retrieval.retrieve import reranked_text
from rag_assets.query.retrieval.search import Found

# shares of the reranker in the final order that are tried
RERANK_WEIGHTS = (0.3, 0.5, 0.7)

# question → one score of the reranker for each of its first hits, in their fused order
Scores = dict[str, np.ndarray]


@dataclass(frozen=True)
class Trial:
    """What one reranker with one share was worth.

    Attributes:
        reranker, weight: what was tried.
        value: mean of the metric.
        gain: mean of the paired difference to the order without a reranker.
        standard_error: of that mean.
    """

    reranker: str
    weight: float
    value: float
    gain: float
    standard_error: float

    def to_dict(self) -> dict[str, str | float]:
        """The form that is stored with a release."""
        figures = {"value": self.value, "gain": self.gain, "standard_error": self.standard_error}
        rounded = {name: round(figure, 4) for name, figure in figures.items()}
        return {"reranker": self.reranker, "weight": self.weight, **rounded}


@dataclass(frozen=True)
class LearnedReranker:
    """Which reranker was chosen, from what.

    Attributes:
        chosen: None where none proved itself.
        trials: everything that was tried.
        without: mean of the metric without a reranker.
        scores: of the chosen reranker, for the questions learned from; empty without one.
    """

    chosen: Trial | None
    trials: tuple[Trial, ...]
    without: float
    scores: Scores


def rerank_depth(settings: QuerySettings) -> int:
    """How many hits the engine gives a reranker when nobody asks for more than the default."""
    return max(settings.limit, settings.rerank_candidates)


def score_hits(
    reranker: Reranker, retrievals: Mapping[str, Retrieval], depth: int, progress: Progress
) -> Scores:
    """Let a reranker score the first hits of every question, in their fused order.

    Raises:
        RerankerError: it failed; unlike the engine, a measurement does not go on without it.
    """
    scores: Scores = {}
    for question_id, retrieval in retrievals.items():
        texts = [reranked_text(hit) for hit in retrieval.found.hits(depth)]
        scores[question_id] = np.asarray(reranker.score(retrieval.question, texts))
        progress(f"reranking with {reranker.name}", len(scores), len(retrievals))
    return scores


def scores_of_hits(retrievals: Mapping[str, Retrieval]) -> Scores:
    """What ``score_hits`` gives, read from searches that the engine has reranked itself.

    Raises:
        RerankerError: the engine left the reranker out of a search.
    """
    return {question_id: _scores_of(found) for question_id, found in retrievals.items()}


def _scores_of(retrieval: Retrieval) -> np.ndarray:
    found = retrieval.found
    score = {hit.chunk_id: hit.rerank_score for hit in retrieval.hits}
    first = [score[found.candidates.chunk_id[position]] for position in found.order[: len(score)]]
    known = [value for value in first if value is not None]
    if len(known) < len(first):
        raise RerankerError(
            f"The reranker '{retrieval.parameters.reranker}' failed, so that what was found is not "
            "what the release is meant to be searched with.",
            "See the warning about it, mend it, or evaluate with query.reranker = 'none'.",
        )
    return np.array(known)


def reranked_order(found: Found, scores: np.ndarray, share: float) -> np.ndarray:
    """Positions of all candidates: the reranked ones, best first, then the others as fused.

    Args:
        scores: of the reranker, for the first candidates in their fused order.
        share: of the reranker in the order of these.
    """
    first, others = found.order[: len(scores)], found.order[len(scores) :]
    if not len(first):
        return found.order
    best = np.argsort(-blend(found.scores[first], scores, share), kind="stable")
    return np.concatenate([first[best], others])


def served_documents(found: Found, scores: np.ndarray, share: float, limit: int) -> list[str]:
    """Documents by the place of their best passage in ``reranked_order``."""
    names = found.candidates.document_id
    order = reranked_order(found, scores, share)
    return list(dict.fromkeys(names[position] for position in order))[:limit]


def reranked_retrieval(
    retrieval: Retrieval, scores: np.ndarray, share: float, limit: int
) -> Retrieval:
    """The search with the hits that the engine would give, had it reranked them."""
    found = retrieval.found
    if not len(scores):
        return replace(retrieval, hits=[])
    first = found.order[: len(scores)]
    blended, own = found.scores.copy(), np.full(len(found.scores), np.nan)
    blended[first], own[first] = blend(found.scores[first], scores, share), scores
    order = reranked_order(found, scores, share)[: min(limit, len(scores))]
    hits = replace(found, scores=blended, order=order).hits(limit)
    marked = [
        replace(hit, rerank_score=float(own[position]))
        for hit, position in zip(hits, order, strict=True)
    ]
    return replace(retrieval, hits=marked)


def learn_reranker(
    retrievals: Mapping[str, Retrieval],
    relevant: Mapping[str, Mapping[str, int]],
    without: Mapping[str, Sequence[str]],
    rerankers: Sequence[Reranker],
    depth: int,
    k: int,
    progress: Progress,
) -> LearnedReranker:
    """Compare each reranker at each of ``RERANK_WEIGHTS`` with none, on nDCG@k of documents.

    The best is chosen when its paired gain is above one standard error, else none.

    Args:
        retrievals: of the questions in ``relevant``, fused as they will be.
        relevant: question → document → grade, of the training half only.
        without: question → documents without a reranker, best first.
        rerankers: what is tried.
        depth: hits that a reranker sees.

    Raises:
        RerankerError: a reranker failed.
    """
    searched = {question_id: retrievals[question_id] for question_id in relevant}
    baseline = _values(without, relevant, k)
    trials: list[Trial] = []
    scores: dict[str, Scores] = {}
    for reranker in rerankers:
        found = scores[reranker.name] = score_hits(reranker, searched, depth, progress)
        for weight in RERANK_WEIGHTS:
            rankings = {
                item: served_documents(retrieval.found, found[item], weight, k)
                for item, retrieval in searched.items()
            }
            trials.append(
                make_trial(reranker.name, weight, _values(rankings, relevant, k), baseline)
            )
    chosen = choose_trial(trials)
    return LearnedReranker(
        chosen, tuple(trials), float(baseline.mean()), scores[chosen.reranker] if chosen else {}
    )


def make_trial(reranker: str, weight: float, values: np.ndarray, baseline: np.ndarray) -> Trial:
    """Compare the metric of the same questions with and without a reranker."""
    gains = values - baseline
    return Trial(reranker, weight, float(values.mean()), float(gains.mean()), standard_error(gains))


def choose_trial(trials: Sequence[Trial]) -> Trial | None:
    """The trial of the greatest gain, the first of equals, if it is above its standard error."""
    best = max(trials, key=lambda trial: trial.gain, default=None)
    return best if best and best.gain > best.standard_error else None


def _values(
    rankings: Mapping[str, Sequence[str]], relevant: Mapping[str, Mapping[str, int]], k: int
) -> np.ndarray:
    name = f"ndcg@{k}"
    return score_rankings(rankings, relevant, [name])[name]
