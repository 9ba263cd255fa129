"""The summary of an answer evaluation, as JSON: means with intervals, abstention, judge, cost."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from evals.judges.coverage import summarize as summarize_judgements
from evals.statistics import mean_interval

from .schema import SCORES

QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}


def summarize(
    rows: pl.DataFrame, judgements: pl.DataFrame, *, of: int, unjudged: int, min_coverage: float
) -> dict[str, Any]:
    """Summarize the rows of one question set.

    Args:
        rows: ``ANSWER_RESULTS``.
        judgements: ``JUDGEMENTS`` of these rows; empty without a judge.
        of: how many questions the set has that could have been asked.
        unjudged: how many more it has of which nobody said whether they can be answered.
        min_coverage: share that must be judged for a judged score to count.

    Returns:
        queries (asked), of, unjudged; metrics (for each of ``SCORES``: mean, confidence, n; null
        means where n is 0); abstention; judge (see ``judges.coverage.summarize``); cost_usd; tokens;
        latency_ms; errors; degraded, answerers, evidence (counts); tags (means by tag).
    """
    return {
        "queries": rows.height,
        "of": of,
        "unjudged": unjudged,
        "metrics": {name: _metric(rows[name]) for name in SCORES},
        "abstention": _abstention(rows),
        "judge": summarize_judgements(judgements, min_coverage),
        "cost_usd": _costs(rows, judgements),
        "tokens": {
            "prompt": int(rows["prompt_tokens"].sum()),
            "completion": int(rows["completion_tokens"].sum()),
        },
        "latency_ms": latencies(rows),
        "errors": _errors(rows),
        "degraded": _counts(rows["degraded"].explode().drop_nulls()),
        "answerers": _counts(_answered(rows)["answerer"]),
        "evidence": _counts(rows["evidence"]),
        "tags": _by_tag(rows),
    }


def latencies(rows: pl.DataFrame) -> dict[str, float | None]:
    """Percentiles of the milliseconds of the answers; null where there are none."""
    values = _answered(rows)["latency_ms"]
    found = {name: values.quantile(share, "linear") for name, share in QUANTILES.items()}
    return {name: None if value is None else round(value, 2) for name, value in found.items()}


def _answered(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("error") == "")


def _metric(values: pl.Series) -> dict[str, Any]:
    known = values.drop_nulls()
    if known.is_empty():
        return {"mean": None, "confidence": None, "n": 0}
    interval = mean_interval(known.to_numpy())
    return {
        "mean": interval.mean,
        "confidence": [interval.low, interval.high],
        "n": len(known),
    }


def _abstention(rows: pl.DataFrame) -> dict[str, Any]:
    """Shares of either kind that went wrong; null where there is none of the kind."""
    counted = rows.filter(pl.col("abstention").is_not_null())
    answerable, unanswerable = counted.filter("answerable"), counted.filter(~pl.col("answerable"))
    return {
        "answerable": answerable.height,
        "wrongly_refused": _share_wrong(answerable),
        "unanswerable": unanswerable.height,
        "wrongly_answered": _share_wrong(unanswerable),
    }


def _share_wrong(rows: pl.DataFrame) -> float | None:
    return None if rows.is_empty() else float((rows["abstention"] == 0.0).sum()) / rows.height


def _costs(rows: pl.DataFrame, judgements: pl.DataFrame) -> dict[str, float | None]:
    """USD of the answers and of judging them; what a cached judgement had cost is not in it."""
    answered = _answered(rows).height
    judged = judgements.filter(pl.col("status") == "ok")["sample_id"].n_unique()
    answers, judge = float(rows["cost_usd"].sum()), float(judgements["cost_usd"].sum())
    return {
        "answers": answers,
        "per_answer": answers / answered if answered else None,
        "judge": judge,
        "per_judged_answer": judge / judged if judged else None,
    }


def _errors(rows: pl.DataFrame) -> dict[str, Any]:
    """How many answers an error ended, and by which kind of error."""
    failed = rows.filter(pl.col("error") != "")["error"]
    return {"count": len(failed), "kinds": _counts(failed.str.split(":").list.first())}


def _counts(values: pl.Series) -> dict[str, int]:
    return dict(sorted(values.value_counts().rows()))


def _by_tag(rows: pl.DataFrame) -> dict[str, Mapping[str, Any]]:
    tagged = rows.explode("tags").drop_nulls("tags")
    means = (
        tagged.group_by("tags")
        .agg(pl.len().alias("queries"), *(pl.col(name).mean() for name in SCORES))
        .sort("tags")
    )
    return {row.pop("tags"): row for row in means.iter_rows(named=True)}
