"""The numbers at the head of the page, and the releases as a table."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import polars as pl

from rag_assets.platform.wording import counted

from .data import DashboardData
from .findings import WEEK, pooled
from .live_figures import live_metrics

MAIN = "ndcg@"
NOTHING = "–"


@dataclass(frozen=True)
class Tile:
    """One number of the head.

    Attributes:
        label: what it is.
        value: for people.
        detail: what it is made of.
    """

    label: str
    value: str
    detail: str


def tiles(data: DashboardData) -> list[Tile]:
    """Release, quality, faithfulness, latency, cost and use, as of now."""
    start = data.last - timedelta(days=WEEK - 1)
    week = data.days.filter(pl.col("day") >= start)
    queries = int(week["queries"].sum())
    spent = float(data.costs.filter(pl.col("day") >= start)["cost_usd"].sum())
    slow = week["total_p95_ms"].median()
    detail = f"{spent / queries:.4f} USD a query, judging included" if queries else "no queries"
    return [
        _release(data),
        _quality(data),
        _faithfulness(data),
        Tile(
            "Latency, p95",
            f"{slow:,.0f} ms" if isinstance(slow, float) else NOTHING,
            f"median of the last {WEEK} days",
        ),
        Tile("Cost", f"${spent:,.2f}", f"last {WEEK} days; {detail}"),
        Tile("Queries", f"{queries:,}", f"last {WEEK} days"),
    ]


def _release(data: DashboardData) -> Tile:
    live = data.live_release
    if live is None:
        return Tile("Live release", NOTHING, "run 'ragline ingest'")
    since = f"since {live['promoted_at']:%-d %b %Y}; " if live["promoted_at"] else ""
    size = f"{counted(live['documents'], 'document')}, {counted(live['chunks'], 'chunk')}"
    return Tile("Live release", str(live["release"]), since + size)


def _quality(data: DashboardData) -> Tile:
    live = data.live_release
    rows = data.retrieval.filter(
        pl.col("release") == (live["release"] if live else -1),
        pl.col("tag") == "",
        pl.col("metric").str.starts_with(MAIN),
        pl.col("mean").is_not_null(),
    ).to_dicts()
    if not rows:
        return Tile("Retrieval, nDCG", NOTHING, "not evaluated")
    questions = sum(row["questions"] or 0 for row in rows)
    mean = sum(row["mean"] * (row["questions"] or 0) for row in rows) / max(questions, 1)
    sets = f"{len(rows)} sets" if len(rows) > 1 else f"set {rows[0]['dataset']}"
    return Tile(
        f"Retrieval, {rows[0]['metric']}",
        f"{mean:.3f}",
        f"{counted(questions, 'question')} of {sets}",
    )


def _faithfulness(data: DashboardData) -> Tile:
    metrics = live_metrics(data)
    start = data.last - timedelta(days=WEEK - 1)
    enough = data.live.filter(pl.col("day") >= start, pl.col("coverage") >= data.min_coverage)
    rows = enough.filter(metric=metrics[0]) if metrics else enough.head(0)
    found = pooled(rows)
    if found is None:
        return Tile("Faithfulness", NOTHING, "no answer judged in the last days")
    judged = counted(int(rows["judged"].sum()), "answer")
    detail = f"{metrics[0]}, {judged} of the last {WEEK} days"
    return Tile("Faithfulness", f"{found[0]:.3f}", detail)


def release_rows(data: DashboardData) -> list[dict[str, Any]]:
    """The releases, newest first, each with the quality of every set."""
    means: dict[int, dict[str, float]] = {}
    main = data.retrieval.filter(pl.col("tag") == "", pl.col("metric").str.starts_with(MAIN))
    for row in main.drop_nulls("mean").to_dicts():
        means.setdefault(row["release"], {})[row["dataset"]] = row["mean"]
    return [{**row, "quality": means.get(row["release"], {})} for row in data.releases.to_dicts()]
