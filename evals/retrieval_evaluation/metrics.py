"""Retrieval metrics of ranked documents against judged ones, by the library ir-measures.

A metric is named ``<kind>@<cutoff>``, e.g. ``ndcg@10``; definitions as in trec_eval (Voorhees, Harman:
"TREC: Experiment and Evaluation in Information Retrieval", 2005): ``ndcg`` normalised discounted
cumulative gain with linear gains, ``recall`` and ``precision`` of the documents of grade 1 and above,
``mrr`` reciprocal rank of the first of them, ``hit_rate`` whether there is any.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rag_assets.platform.errors import ConfigurationError

# our names, which are those of most dashboards, and the library's
KINDS = {"ndcg": "nDCG", "recall": "R", "mrr": "RR", "precision": "P", "hit_rate": "Success"}


def metric_names(k: int) -> list[str]:
    """The names of every kind of metric at one cutoff."""
    return [f"{kind}@{k}" for kind in KINDS]


def score_rankings(
    rankings: Mapping[str, Sequence[str]],
    relevant: Mapping[str, Mapping[str, int]],
    names: Sequence[str],
) -> dict[str, np.ndarray]:
    """The metrics of every question.

    Args:
        rankings: question → documents, best first, each once; a question without any scores 0.
        relevant: question → document → grade; 0 and below is not relevant.
        names: metrics, e.g. ``["ndcg@10", "recall@10"]``.

    Returns:
        metric → float64, shape (len(relevant),), in the order of ``relevant``.

    Raises:
        ConfigurationError: a name is not a metric.
    """
    import ir_measures

    measures = {str(_measure(name)): name for name in names}
    scores = {name: np.zeros(len(relevant)) for name in names}
    position = {question: index for index, question in enumerate(relevant)}
    # the library breaks ties of scores by name: ranks have none
    run = {
        question: {document: -float(rank) for rank, document in enumerate(rankings[question])}
        for question in relevant
        if rankings.get(question)
    }
    if not run:
        return scores
    parsed = [_measure(name) for name in names]
    for value in ir_measures.iter_calc(parsed, relevant, run):
        scores[measures[str(value.measure)]][position[value.query_id]] = value.value
    return scores


def _measure(name: str) -> Any:
    import ir_measures

    kind, _, cutoff = name.partition("@")
    if kind not in KINDS or not cutoff.isdecimal() or int(cutoff) < 1:
        raise ConfigurationError(
            f"'{name}' is not a metric.",
            f"Metrics are {', '.join(KINDS)}, each with a cutoff, e.g. ndcg@10.",
        )
    return ir_measures.parse_measure(f"{KINDS[kind]}@{int(cutoff)}")
