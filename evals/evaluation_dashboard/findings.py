"""What is healthy and what regressed, in words and numbers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import polars as pl

from rag_assets.platform.wording import counted

from .charts import every_day
from .data import DashboardData
from .live_figures import live_metrics
from .release_figures import FIRST_ANSWERS

WEEK = 7
# this many times slower or dearer than the weeks before is worth a look
RISE = 1.5
# two sides of a 95% interval of a normal distribution
WIDTH = 2 * 1.959964

Status = Literal["good", "watch", "bad", "unknown"]
# the worst first
WORDS = {"bad": "Regressed", "watch": "To look at", "unknown": "Not known", "good": "Healthy"}
_ORDER = tuple(WORDS)


@dataclass(frozen=True)
class Finding:
    """One sentence about the deployment.

    Attributes:
        subject: what it is about.
        text: with the numbers that decided.
    """

    status: Status
    subject: str
    text: str

    @property
    def word(self) -> str:
        """The status for people."""
        return WORDS[self.status]


def findings(data: DashboardData) -> list[Finding]:
    """Everything worth saying, the worst first."""
    found = [
        *_candidate(data),
        *_retrieval(data),
        *_answers(data),
        *_live(data),
        *_rise(data, "total_p95_ms", "Latency", lambda value: f"{value:,.0f} ms at p95"),
        *_rise(data, "cost_usd_per_query", "Cost", lambda value: f"${value:.4f} a query"),
        *_missing_days(data),
    ]
    return sorted(found, key=lambda item: _ORDER.index(item.status))


def _candidate(data: DashboardData) -> list[Finding]:
    """The newest release that was turned down, where none was promoted since."""
    live = data.live_release
    newer = data.releases.filter(
        pl.col("status") == "rejected", pl.col("release") > (live["release"] if live else 0)
    )
    return [
        Finding(
            "bad",
            f"Release {row['release']}",
            f"Not promoted. {row['reason'] or 'No reason is recorded'}.",
        )
        for row in newer.head(1).to_dicts()
    ]


def _retrieval(data: DashboardData) -> list[Finding]:
    """The live release, and a newer candidate, beside the one before, set by set."""
    live = data.live_release
    if live is None:
        return [
            Finding("unknown", "Release", "There is no live release yet: run 'ragline ingest'.")
        ]
    known = data.retrieval.filter(pl.col("release") >= live["release"])
    if known.is_empty():
        text = f"Release {live['release']} has not been evaluated."
        return [Finding("unknown", "Retrieval quality", text)]
    compared = data.comparisons.filter(pl.col("release") >= live["release"]).to_dicts()
    if not compared:
        text = "There was no release before it to compare with."
        return [Finding("unknown", "Retrieval quality", text)]
    return [_compared(row) for row in compared]


def _compared(row: dict[str, Any]) -> Finding:
    numbers = (
        f"{row['metric']} {row['gain']:+.3f} (95% interval {row['low']:+.3f} to {row['high']:+.3f}) "
        f"against release {row['baseline']}, over {counted(row['questions'], 'question')}: "
        f"{row['worse']} worse, {row['better']} better."
    )
    subject = f"Retrieval, set {row['dataset']}, release {row['release']}"
    if row["high"] < 0:
        return Finding("bad", subject, f"Worse beyond chance: {numbers}")
    word = "Better beyond chance" if row["low"] > 0 else "No difference beyond chance"
    return Finding("good", subject, f"{word}: {numbers}")


def _answers(data: DashboardData) -> list[Finding]:
    """The newest judged answers of each set beside those before."""
    found = []
    judged = data.answers.filter(pl.col("tag") == "", pl.col("mean").is_not_null())
    metric = next((name for name in FIRST_ANSWERS if name in judged["metric"]), None)
    rows = judged.filter(metric=metric) if metric else judged.head(0)
    for (dataset,), part in rows.group_by("dataset", maintain_order=True):
        newest = part.sort("release").to_dicts()[-1]
        subject = f"Answers, set {dataset}, release {newest['release']}"
        score = f"{metric} {newest['mean']:.3f}"
        if not newest["counts"]:
            share = f"{newest['coverage'] or 0:.0%} of the answers could be judged"
            found.append(Finding("watch", subject, f"{score} does not count: {share}."))
            continue
        before = part.filter("counts", pl.col("release") < newest["release"]).sort("release")
        found.append(_against(subject, score, newest, before.to_dicts()[-1:]))
    return found


def _against(
    subject: str, score: str, row: dict[str, Any], before: Sequence[dict[str, Any]]
) -> Finding:
    if not before:
        return Finding("good", subject, f"{score}; nothing to compare with yet.")
    old = before[0]
    text = f"{score}, {row['mean'] - old['mean']:+.3f} against release {old['release']}"
    limits = row["high"], old["low"]
    if None not in limits and row["high"] < old["low"]:
        return Finding("bad", subject, f"{text}; the intervals do not touch.")
    return Finding("good", subject, f"{text}; within the intervals or better.")


def _live(data: DashboardData) -> list[Finding]:
    """The last seven days of the first live metric beside the three weeks before."""
    metrics = live_metrics(data)
    if not metrics:
        return [Finding("unknown", "Real answers", "None has been judged yet.")]
    rows = data.live.filter(metric=metrics[0])
    start = data.last - timedelta(days=WEEK - 1)
    enough = pl.col("coverage") >= data.min_coverage
    week, before = rows.filter(pl.col("day") >= start), rows.filter(pl.col("day") < start)
    before = before.filter(pl.col("day") >= start - timedelta(days=3 * WEEK))
    found = []
    weak = week.filter(~enough, pl.col("coverage").is_not_null()).height
    if weak:
        text = f"On {weak} of the last {WEEK} days too few were judged for {metrics[0]} to count."
        found.append(Finding("watch", "Coverage of the judge", text))
    now, then = pooled(week.filter(enough)), pooled(before.filter(enough))
    if now is None:
        return [*found, Finding("unknown", "Real answers", "None was judged in the last 7 days.")]
    if then is None:
        text = f"{metrics[0]} {now[0]:.3f} in the last {WEEK} days; nothing to compare with yet."
        return [*found, Finding("good", "Real answers", text)]
    change, error = now[0] - then[0], math.hypot(now[1], then[1])
    text = (
        f"{metrics[0]} {now[0]:.3f} in the last {WEEK} days, {change:+.3f} against the three weeks "
        f"before (95% interval {change - WIDTH / 2 * error:+.3f} to {change + WIDTH / 2 * error:+.3f})."
    )
    worse = change + WIDTH / 2 * error < 0
    return [*found, Finding("bad" if worse else "good", "Real answers", text)]


def pooled(rows: pl.DataFrame) -> tuple[float, float] | None:
    """The mean of several days and its standard error, each day by how many were judged.

    Args:
        rows: mean, low, high (95%), judged of each day.

    Returns:
        None where nothing was judged.
    """
    rows = rows.filter(pl.col("judged") > 0)
    total = float(rows["judged"].sum())
    if not total:
        return None
    weights = rows["judged"].to_numpy() / total
    errors = (rows["high"] - rows["low"]).to_numpy() / WIDTH
    return float(weights @ rows["mean"].to_numpy()), math.sqrt(float((weights**2) @ (errors**2)))


def _rise(data: DashboardData, column: str, subject: str, shown: Any) -> list[Finding]:
    """The median day of the last seven beside that of the four weeks before."""
    start = data.last - timedelta(days=WEEK - 1)
    days = data.days.drop_nulls(column)
    now = _median(days.filter(pl.col("day") >= start)[column])
    weeks = pl.col("day") < start, pl.col("day") >= start - timedelta(days=4 * WEEK)
    then = _median(days.filter(*weeks)[column])
    if now is None:
        return []
    text = f"{shown(now)} on the median day of the last {WEEK}"
    if not then:
        return [Finding("good", subject, f"{text}; nothing to compare with yet.")]
    # rounded first: a fall of nothing is no fall
    change = round(now / then - 1, 2) + 0.0
    text += f", {change:+.0%} against the four weeks before."
    return [Finding("watch" if now > RISE * then else "good", subject, text)]


def _median(values: pl.Series) -> float | None:
    return None if values.is_empty() else float(values.median())  # type: ignore[arg-type]


def _missing_days(data: DashboardData) -> list[Finding]:
    """Days between the first that is known and yesterday that were not computed."""
    if data.days.is_empty():
        return []
    known = set(data.days["day"])
    yesterday = data.last - timedelta(days=1)
    missing = [day for day in every_day(min(known), yesterday) if day not in known]
    if not missing:
        return []
    listed = ", ".join(f"{day:%Y-%m-%d}" for day in missing[:5]) + (" …" if missing[5:] else "")
    text = f"{len(missing)} not computed ({listed}): backfill query_log in the Dagster UI."
    return [Finding("watch", "Days", text)]
