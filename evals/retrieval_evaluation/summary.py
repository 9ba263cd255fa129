"""The summary of one candidate on one question set, as JSON."""

import math
from typing import Any

import polars as pl

from evals.statistics import Interval, mean_interval

from .baseline import Baseline
from .compare import Comparison, compare
from .metrics import KINDS
from .report import by_label

COMPARED = (*KINDS, "evidence_recall")


def summarize(
    rows: pl.DataFrame, measured: dict[str, Any], baseline: Baseline, k: int, confidence: float
) -> dict[str, Any]:
    """Add to what was measured of a candidate how it compares with the live release.

    Args:
        rows: ``RETRIEVAL_RESULTS`` of the set.
        measured: see ``report.report``.
        baseline: of all sets.
        confidence: of the differences; see ``gates.confidence``.

    Returns:
        ``measured`` and: k, by_group (the metrics by the groups that asked), baseline (release, origin, why,
        metrics), gain (of nDCG over the live release), gains (of every metric), leg_gain (over the
        better leg), states of the evidence, abstained share.
    """
    gains = {f"{kind}@{k}": compare(rows, kind, confidence) for kind in COMPARED}
    compared = {name: gain for name, gain in gains.items() if gain.n}
    main = f"ndcg@{k}"
    names = {kind: f"{kind}@{k}" for kind in KINDS}
    answerable = rows.filter(pl.col("ndcg").is_not_null()).rename(names)
    evidence = mean_interval(rows["evidence_recall"].drop_nulls().to_numpy())
    return {
        **measured,
        "k": k,
        **_with_evidence(measured, f"evidence_recall@{k}", evidence),
        "by_group": by_label(
            answerable, answerable.select("question_id", "groups"), list(names.values())
        ),
        "baseline": {
            "release": baseline.release_id,
            "origin": baseline.origin,
            "why": baseline.why,
            "metrics": {name: gain.baseline for name, gain in compared.items()},
        },
        "gain": _gain(compared[main], main, baseline, confidence) if main in compared else None,
        "gains": {name: _gain(gain, name, baseline, confidence) for name, gain in compared.items()},
        "leg_gain": measured["gain"],
        "evidence_states": _counts(rows, "evidence"),
        "abstained": _shares(rows),
    }


def without_nan(value: Any) -> Any:
    """The same JSON with null for what is not a number: no database takes NaN."""
    if isinstance(value, dict):
        return {name: without_nan(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _with_evidence(measured: dict[str, Any], name: str, interval: Interval) -> dict[str, Any]:
    """The means and intervals, the evidence recall among them where the set has quotes."""
    if math.isnan(interval.mean):
        return {}
    return {
        "metrics": {**measured["metrics"], name: interval.mean},
        "confidence": {**measured["confidence"], name: [interval.low, interval.high]},
    }


def _gain(gain: Comparison, name: str, baseline: Baseline, confidence: float) -> dict[str, Any]:
    return {
        "metric": name,
        "over": f"release {baseline.release_id}",
        "mean": gain.difference.mean,
        "confidence": [gain.difference.low, gain.difference.high],
        "level": confidence,
        "questions": gain.n,
        "worse": gain.worse.height,
        "better": gain.better.height,
    }


def _counts(rows: pl.DataFrame, column: str) -> dict[str, int]:
    return dict(rows.group_by(column).len().sort(column).rows())


def _shares(rows: pl.DataFrame) -> dict[str, float | None]:
    """Share of the questions of either kind that the release would not answer."""
    kinds = {"answerable": pl.col("answerable"), "unanswerable": ~pl.col("answerable")}
    return {
        name: None if some.is_empty() else float(some["abstained"].mean() or 0.0)  # type: ignore[arg-type]
        for name, some in ((name, rows.filter(kind)) for name, kind in kinds.items())
    }
