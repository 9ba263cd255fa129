"""What a run says: means with their intervals, the methods side by side, by tag; as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from evals.statistics import CONFIDENCE, mean_interval, paired_difference
from rag_assets.query.parameters import QueryParameters

from .learning.answerability import report_abstention
from .metrics import metric_names, score_rankings
from .run import Run

LEGS = ("dense", "full_text")


def report(
    run: Run, parameters: QueryParameters, *, learned: bool
) -> tuple[dict[str, Any], pl.DataFrame]:
    """Measure what the questions of a run found.

    Args:
        run: with the scores of the reranker that counts, and with features where there is a model.
        parameters: what counts.
        learned: whether they have just been learned; only names the method.

    Returns:
        the summary, see docs/evaluation.md; and a row for each answerable question: question_id,
        ranking (documents, best first), and one column for each metric.
    """
    relevant = run.relevant()
    ids, names = list(relevant), metric_names(run.k)
    rankings = _rankings_by_method(run, ids, parameters, learned)
    scores = {method: score_rankings(found, relevant, names) for method, found in rankings.items()}
    main = next(reversed(scores))
    values = scores[main]
    intervals = {name: mean_interval(value) for name, value in values.items()}
    rows = pl.DataFrame(
        {
            "question_id": pl.Series(ids, dtype=pl.String),
            "ranking": pl.Series(list(rankings[main].values()), dtype=pl.List(pl.String)),
            **values,
        }
    )
    unresolved = {item: why for item, why in run.resolution.unresolved.items() if item in relevant}
    model = parameters.abstention
    summary = {
        "queries": len(ids),
        "metrics": {name: interval.mean for name, interval in intervals.items()},
        "confidence": {name: [item.low, item.high] for name, item in intervals.items()},
        "method": main,
        "methods": {
            method: {name: mean(value) for name, value in kinds.items()}
            for method, kinds in scores.items()
        },
        "gain": _gain(scores, main, f"ndcg@{run.k}"),
        "reranking_gain": _gain_over(scores, main, "fused", f"ndcg@{run.k}"),
        "evidence": _evidence(run, ids, parameters),
        "tags": by_label(rows, run.questions.select("question_id", "tags"), names),
        "abstention": report_abstention(model, run.features, run.answerable())
        if model and run.features
        else None,
        "unresolved": {"count": len(unresolved), "questions": unresolved},
    }
    return summary, rows


def mean(values: np.ndarray) -> float:
    """The mean of some questions' values; NaN for none."""
    return float(values.mean()) if len(values) else float("nan")


def by_label(rows: pl.DataFrame, labels: pl.DataFrame, names: Sequence[str]) -> dict[str, Any]:
    """The mean of some metrics for every label, with how many questions carry it.

    Args:
        rows: question_id and one column for each metric.
        labels: question_id and a list of labels.
        names: of the metrics.
    """
    column = next(name for name in labels.columns if name != "question_id")
    labelled = rows.select("question_id", *names).join(labels, on="question_id").explode(column)
    means = (
        labelled.drop_nulls(column)
        .group_by(column)
        .agg(pl.len().alias("queries"), *(pl.col(name).mean() for name in names))
        .sort(column)
    )
    return {row.pop(column): row for row in means.iter_rows(named=True)}


def _rankings_by_method(
    run: Run, ids: Sequence[str], parameters: QueryParameters, learned: bool
) -> dict[str, dict[str, list[str]]]:
    """The methods side by side; the last is the one that counts."""
    methods = {
        "dense": run.rankings(ids, "weighted", 1.0),
        "full_text": run.rankings(ids, "weighted", 0.0),
        "equal": run.rankings(ids, "weighted", 0.5),
        "rrf": run.rankings(ids, "rrf", 0.5),
    }
    name = "learned" if learned else "release"
    if parameters.reranker != "none":
        methods["fused"] = run.rankings(ids, parameters.fusion, parameters.fusion_weight)
    return {**methods, name: run.served(ids, parameters)}


def _gain(
    scores: Mapping[str, Mapping[str, np.ndarray]], main: str, metric: str
) -> dict[str, Any] | None:
    """How much better the method that counts is than the better leg alone, with its confidence."""
    leg = max(LEGS, key=lambda name: mean(scores[name][metric]))
    return _gain_over(scores, main, leg, metric)


def _gain_over(
    scores: Mapping[str, Mapping[str, np.ndarray]], main: str, other: str, metric: str
) -> dict[str, Any] | None:
    """How much better one method is than another; None where the other was not measured."""
    if other not in scores:
        return None
    difference = paired_difference(scores[main][metric], scores[other][metric], CONFIDENCE)
    return {
        "metric": metric,
        "over": other,
        "mean": difference.mean,
        "confidence": [difference.low, difference.high],
    }


def _evidence(run: Run, ids: Sequence[str], parameters: QueryParameters) -> dict[str, Any] | None:
    """Share of the quoted evidence in the first k passages; None where the set quotes nothing."""
    found = [run.evidence_recall(item, parameters) for item in ids]
    values = [value for value in found if value is not None]
    if not values:
        return None
    interval = mean_interval(np.array(values))
    return {
        f"recall@{run.k}": interval.mean,
        "confidence": [interval.low, interval.high],
        "queries": len(values),
    }
