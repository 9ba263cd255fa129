"""What a set of judgements says of each metric, and whether enough was judged for it to count."""

from typing import Any

import polars as pl

from evals.statistics import mean_interval

FAILURES = ("timeout", "invalid", "error")


def summarize(judgements: pl.DataFrame, min_coverage: float) -> dict[str, dict[str, Any]]:
    """Summarize judgements by metric.

    A failed judgement is missing coverage: it is neither a 0 nor left out of the account. The mean
    is of what was judged; where coverage is too low it is shown all the same and ``counts`` is
    false, since what failed may be what was hard.

    Args:
        judgements: ``JUDGEMENTS``.
        min_coverage: ``judge.min_coverage``.

    Returns:
        By metric: mean (null where nothing was judged), confidence (95% bootstrap, low and high),
        judged, applicable (judged or failed), not_applicable, coverage (judged / applicable; null
        where nothing applies), failed (by status), counts, version, judge, calls, prompt_tokens,
        completion_tokens, cost_usd (of failed judgements too), cost_per_judgement (cost_usd by the
        judgements that were not cached; null where all were), seconds, cached.
    """
    return {
        str(name): _summary(rows, min_coverage)
        for (name,), rows in judgements.group_by("metric", maintain_order=True)
    }


def _summary(rows: pl.DataFrame, min_coverage: float) -> dict[str, Any]:
    statuses = dict(rows["status"].value_counts().iter_rows())
    failed = {status: int(statuses.get(status, 0)) for status in FAILURES}
    scores = rows.filter(status="ok")["score"].to_numpy()
    judged = len(scores)
    applicable = judged + sum(failed.values())
    coverage = judged / applicable if applicable else None
    interval = mean_interval(scores) if judged else None
    cached = int(rows["cached"].sum())
    cost = float(rows["cost_usd"].sum())
    return {
        "mean": interval.mean if interval else None,
        "confidence": [interval.low, interval.high] if interval else None,
        "judged": judged,
        "applicable": applicable,
        "not_applicable": int(statuses.get("not_applicable", 0)),
        "coverage": coverage,
        "failed": failed,
        "counts": judged > 0 and coverage is not None and coverage >= min_coverage,
        "version": _names(rows, "version"),
        "judge": _names(rows, "judge"),
        "calls": int(rows["calls"].sum()),
        "prompt_tokens": int(rows["prompt_tokens"].sum()),
        "completion_tokens": int(rows["completion_tokens"].sum()),
        "cost_usd": cost,
        "cost_per_judgement": cost / (judged - cached) if judged > cached else None,
        "seconds": float(rows["seconds"].sum()),
        "cached": cached,
    }


def _names(rows: pl.DataFrame, column: str) -> str:
    """The one value of a column; several, where runs of different judges were put together."""
    return " | ".join(sorted(rows[column].unique().to_list()))
