"""What the dashboard shows, as tables: read from the registry, the evaluations and the days."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from evals.evaluations import Evaluation, Evaluations
from evals.live import store
from evals.retrieval_evaluation.compare import compared
from evals.retrieval_evaluation.results import read_results
from rag_assets.platform.platform import Platform
from rag_assets.releases.registry import Registry, Release
from rag_assets.service_records.feedback import FeedbackStore

from .schema import ANSWERS, COMPARISONS, REGRESSED, RELEASES, RETRIEVAL

DAYS = 90
NEWEST_RELEASES = 30
# of one set and release; the rest is in the table of the evaluation and in the gate's report
MOST_REGRESSED = 20
METRIC = "ndcg"


@dataclass(frozen=True)
class DashboardData:
    """Everything the dashboard shows.

    Attributes:
        made_at: when it was read, UTC.
        first, last: the days that are shown, both included.
        releases: ``RELEASES``, newest first.
        retrieval: ``RETRIEVAL``, by release.
        comparisons: ``COMPARISONS``, by release.
        answers: ``ANSWERS``, by release.
        regressed: ``REGRESSED``.
        days, occurrences, costs, live: see ``evals.live.schema``; by day.
        feedback: what readers said, by day and release; see ``FeedbackStore.by_day_and_release``.
        min_coverage: share that must be judged for a score to count.
        log: the setting ``query.log``.
        dagster_url: of the UI, for links.
    """

    made_at: datetime
    first: date
    last: date
    releases: pl.DataFrame
    retrieval: pl.DataFrame
    comparisons: pl.DataFrame
    answers: pl.DataFrame
    regressed: pl.DataFrame
    days: pl.DataFrame
    occurrences: pl.DataFrame
    costs: pl.DataFrame
    live: pl.DataFrame
    feedback: pl.DataFrame
    min_coverage: float
    log: str = "full"
    dagster_url: str = ""

    @property
    def live_release(self) -> dict[str, Any] | None:
        """The row of the release that readers use."""
        found = self.releases.filter(status="live").to_dicts()
        return found[0] if found else None


def dashboard_data(platform: Platform, now: datetime, days: int = DAYS) -> DashboardData:
    """Read what the dashboard shows.

    Args:
        platform: the deployment's.
        now: the moment it is about, with its time zone; its UTC day is the last one shown.
        days: how many days are shown.
    """
    engine, settings = platform.database, platform.settings
    last = now.date()
    first = last - timedelta(days=days - 1)
    releases = Registry(engine).all()[:NEWEST_RELEASES]
    retrieval, answers = _newest(engine, "retrieval", releases), _newest(engine, "answer", releases)
    return DashboardData(
        made_at=now,
        first=first,
        last=last,
        releases=_releases(releases),
        retrieval=_frame((row for item in retrieval for row in retrieval_means(item)), RETRIEVAL),
        comparisons=_frame(filter(None, map(comparison, retrieval)), COMPARISONS),
        answers=_frame((row for item in answers for row in answer_means(item)), ANSWERS),
        regressed=_regressed(platform, retrieval),
        days=store.query_days(engine, first, last),
        occurrences=store.occurrences(engine, first, last),
        costs=store.costs(engine, first, last),
        live=store.live_scores(engine, first, last),
        feedback=FeedbackStore(engine).by_day_and_release(first, last),
        min_coverage=settings.judge.min_coverage,
        log=settings.query.log,
        dagster_url=settings.dagster_url,
    )


def _newest(engine: Any, kind: Any, releases: list[Release]) -> list[Evaluation]:
    """The newest evaluation of every release and set, by release."""
    shown = {release.id for release in releases}
    newest = {
        (item.release_id, item.dataset): item
        for item in Evaluations(engine).all(kind)
        if item.release_id in shown
    }
    return [newest[key] for key in sorted(newest)]


def _releases(releases: list[Release]) -> pl.DataFrame:
    names = [name for name in RELEASES if name != "release"]
    rows = [
        {"release": item.id, **{name: getattr(item, name) for name in names}} for item in releases
    ]
    return pl.DataFrame(rows, schema=RELEASES)


def retrieval_means(item: Evaluation) -> list[dict[str, Any]]:
    """The means of a retrieval evaluation, of the set and by tag: rows of ``RETRIEVAL``."""
    summary, key = item.summary, {"release": item.release_id, "dataset": item.dataset}
    intervals = summary.get("confidence") or {}
    rows = [
        {
            **key,
            "tag": "",
            "metric": metric,
            "mean": mean,
            **_interval(intervals.get(metric)),
            "questions": summary.get("queries"),
        }
        for metric, mean in (summary.get("metrics") or {}).items()
    ]
    for tag, means in (summary.get("tags") or {}).items():
        rows += [
            {
                **key,
                "tag": tag,
                "metric": metric,
                "mean": means[metric],
                "questions": means["queries"],
            }
            for metric in means
            if metric != "queries"
        ]
    return rows


def comparison(item: Evaluation) -> dict[str, Any] | None:
    """How a release compares with the one that was live: a row of ``COMPARISONS``, if it does."""
    gain = item.summary.get("gain")
    if not gain or item.baseline_release_id is None or "worse" not in gain:
        return None
    low, high = gain["confidence"]
    return {
        "release": item.release_id,
        "baseline": item.baseline_release_id,
        "dataset": item.dataset,
        "metric": gain["metric"],
        "gain": gain["mean"],
        "low": low,
        "high": high,
        "questions": gain.get("questions"),
        "worse": gain["worse"],
        "better": gain.get("better"),
    }


def answer_means(item: Evaluation) -> list[dict[str, Any]]:
    """The means of an answer evaluation, judged or not: rows of ``ANSWERS``."""
    key = {"release": item.release_id, "dataset": item.dataset, "tag": ""}
    measured = [
        {
            **key,
            "metric": metric,
            "mean": found.get("mean"),
            **_interval(found.get("confidence")),
            "questions": found.get("n"),
            "judge": "",
            "coverage": 1.0,
            "counts": True,
            "cost_usd": 0.0,
        }
        for metric, found in (item.summary.get("metrics") or {}).items()
        if found.get("n")
    ]
    judged = [
        {
            **key,
            "metric": metric,
            "mean": found.get("mean"),
            **_interval(found.get("confidence")),
            "questions": found.get("judged"),
            "judge": found.get("judge", ""),
            "coverage": found.get("coverage"),
            "counts": bool(found.get("counts")),
            "cost_usd": found.get("cost_usd"),
        }
        for metric, found in (item.summary.get("judge") or {}).items()
    ]
    tagged = [
        {
            **key,
            "tag": tag,
            "metric": metric,
            "mean": mean,
            "questions": means["queries"],
            "judge": "",
            "coverage": 1.0,
            "counts": True,
        }
        for tag, means in (item.summary.get("tags") or {}).items()
        for metric, mean in means.items()
        if metric != "queries" and mean is not None
    ]
    return measured + judged + tagged


def _regressed(platform: Platform, evaluations: list[Evaluation]) -> pl.DataFrame:
    parts = [
        regressed_questions(item, read_results(platform, item))
        for item in evaluations
        if comparison(item) is not None
    ]
    found = pl.concat([REGRESSED.to_frame(), *parts])
    return found.sort("release", "difference", "question_id", descending=[True, False, False])


def regressed_questions(item: Evaluation, rows: pl.DataFrame) -> pl.DataFrame:
    """The questions a release answers worse than the one that was live: ``REGRESSED``.

    Args:
        item: their evaluation.
        rows: ``RETRIEVAL_RESULTS`` of it.
    """
    pairs = compared(rows, METRIC).with_columns(
        (pl.col(METRIC) - pl.col(f"baseline_{METRIC}")).alias("difference"),
        pl.lit(item.release_id, pl.Int64).alias("release"),
        pl.lit(item.baseline_release_id, pl.Int64).alias("baseline"),
        pl.lit(item.dataset).alias("dataset"),
    )
    worse = pairs.filter(pl.col("difference") < 0).sort("difference", "question_id")
    return worse.select(REGRESSED.names()).cast(REGRESSED).head(MOST_REGRESSED)


def _interval(confidence: Any) -> dict[str, float | None]:
    low, high = confidence or (None, None)
    return {"low": low, "high": high}


def _frame(rows: Iterable[dict[str, Any] | None], schema: pl.Schema) -> pl.DataFrame:
    complete = [{name: row.get(name) for name in schema} for row in rows if row is not None]
    # a mean of nothing may be NaN, which JSON does not know
    return pl.DataFrame(complete, schema=schema).fill_nan(None)
