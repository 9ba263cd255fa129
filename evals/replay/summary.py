"""A replay in numbers."""

from typing import Any

import numpy as np
import polars as pl

from evals.statistics import mean_interval

MEANS = ("overlap", "document_overlap", "document_jaccard", "answer_f1")
COUNTS = (
    "top_changed",
    "answer_changed",
    "newly_abstained",
    "newly_answered",
    "citations_changed",
)


def summarize(rows: pl.DataFrame, answerer: str) -> dict[str, Any]:
    """The numbers of a replay; JSON, and no text of questions, answers or documents.

    Args:
        rows: ``REPLAYED``.
        answerer: who wrote the answers.

    Returns:
        answerer; questions; errors (questions of which either side ended in an error) and
        new_errors (those that the baseline answered); compared; the means of ``MEANS`` over what was
        compared, None without any; overlap_interval; how many questions of each of ``COUNTS``;
        latency_ms: p50 and p95 of both sides.
    """
    compared = rows.filter(pl.col("overlap").is_not_null())
    overlap = compared["overlap"].to_numpy()
    interval = mean_interval(overlap) if len(overlap) else None
    new_errors = rows.filter(pl.col("error") != "", pl.col("baseline_error") == "")
    return {
        "answerer": answerer,
        "questions": rows.height,
        "compared": compared.height,
        "errors": rows.height - compared.height,
        "new_errors": new_errors.height,
        **{name: _mean(compared[name]) for name in MEANS},
        "overlap_interval": [interval.low, interval.high] if interval else None,
        **{name: int(compared[name].sum()) for name in COUNTS},
        "latency_ms": {
            "now": _percentiles(compared["milliseconds"]),
            "before": _percentiles(compared["baseline_milliseconds"]),
        },
    }


def more_abstentions(rows: pl.DataFrame) -> float:
    """How likely so many more abstentions are by chance, if neither release abstains more often.

    The exact form of McNemar's test, one-sided: McNemar, "Note on the sampling error of the
    difference between correlated proportions or percentages", Psychometrika 12, 1947.

    Args:
        rows: ``REPLAYED``.

    Returns:
        the p-value; 1 where no question changed sides.
    """
    from scipy.stats import binomtest

    more, fewer = int(rows["newly_abstained"].sum()), int(rows["newly_answered"].sum())
    if not more + fewer:
        return 1.0
    return float(binomtest(more, more + fewer, 0.5, alternative="greater").pvalue)


def most_changed(rows: pl.DataFrame, limit: int) -> pl.DataFrame:
    """The questions that changed most: errors and abstentions first, then the least overlap.

    Questions of which nothing changed are left out.
    """
    failed = (pl.col("error") != "") != (pl.col("baseline_error") != "")
    turned = pl.col("newly_abstained").fill_null(False) | pl.col("newly_answered").fill_null(False)
    changed = pl.any_horizontal(
        failed,
        pl.col("overlap") < 1,
        *(pl.col(name) for name in COUNTS),
    ).fill_null(False)
    return (
        rows.filter(changed)
        .with_columns(_failed=failed, _turned=turned)
        .sort(
            "_failed",
            "_turned",
            "overlap",
            "answer_f1",
            "question_id",
            descending=[True, True, False, False, False],
        )
        .drop("_failed", "_turned")
        .head(limit)
    )


def _mean(values: pl.Series) -> float | None:
    return round(float(np.mean(values.to_numpy())), 6) if len(values) else None


def _percentiles(values: pl.Series) -> dict[str, float] | None:
    if not len(values):
        return None
    p50, p95 = np.percentile(values.to_numpy(), [50, 95])
    return {"p50": round(float(p50), 1), "p95": round(float(p95), 1)}
