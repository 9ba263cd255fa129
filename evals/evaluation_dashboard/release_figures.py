"""Figures over the releases: what was found, and how the answers were judged."""

from typing import Any

import polars as pl

from .charts import band, share_axis, values
from .data import DashboardData
from .figure import Choice, Figure, specification

CHOSEN = "(chosen_set == '' || datum.dataset == chosen_set) && datum.tag == chosen_tag"
# what is shown first, if it is there
FIRST_RETRIEVAL = ("ndcg@", "recall@", "mrr@")
FIRST_ANSWERS = ("ragas.faithfulness", "deepeval.faithfulness", "support")


def release_figures(data: DashboardData) -> list[Figure]:
    """The figures over the releases."""
    return [retrieval_quality(data), answer_quality(data)]


def retrieval_quality(data: DashboardData) -> Figure:
    """What is found for the golden questions, by release and set."""
    found = Figure(
        "retrieval_quality",
        "Retrieval quality by release",
        "Mean over the golden questions of each set; the band is the 95% interval. A cross is a "
        "candidate that was not promoted. With a tag chosen, the mean of its questions, without band.",
        "releases",
        "No evaluation yet: run 'ragline ingest', which evaluates what it releases.",
    )
    if data.retrieval.is_empty():
        return found
    rows = _with_status(data, data.retrieval.drop_nulls("mean"))
    metrics = _ordered(rows["metric"].unique().to_list(), FIRST_RETRIEVAL)
    listed = [{**row, "counts": True} for row in rows.to_dicts()]
    return _drawn(found, listed, metrics, _lines(listed, metrics, "mean"))


def answer_quality(data: DashboardData) -> Figure:
    """How faithful and how good the answers are, by release and set."""
    found = Figure(
        "answer_quality",
        "Answers by release",
        f"Mean with its 95% interval. A hollow point does not count: less than {data.min_coverage:.0%} "
        "of the answers could be judged, and what failed may be what was hard.",
        "releases",
        "No answers evaluated yet: run the job evaluate_answers in the Dagster UI, or wait for tonight.",
    )
    if data.answers.is_empty():
        return found
    rows = _with_status(data, data.answers.drop_nulls("mean"))
    metrics = _ordered(rows["metric"].unique().to_list(), FIRST_ANSWERS)
    listed = rows.to_dicts()
    return _drawn(found, listed, metrics, _lines(listed, metrics, "mean"))


def _drawn(figure: Figure, rows: list[dict[str, Any]], metrics: list[str], chart: Any) -> Figure:
    from dataclasses import replace

    columns = {
        "release": "release",
        "dataset": "set",
        "tag": "tag",
        "metric": "metric",
        "mean": "mean",
        "low": "low",
        "high": "high",
        "questions": "questions",
    }
    if any(row.get("coverage") not in (None, 1.0) for row in rows):
        columns["coverage"] = "coverage"
    return replace(
        figure,
        chart=specification(chart) if rows else None,
        columns=columns,
        rows=rows if rows else (),
        choices=(Choice("chosen_metric", "Metric", tuple(metrics)),),
        filtered=True,
    )


def _lines(rows: list[dict[str, Any]], metrics: list[str], title: str) -> Any:
    import altair as alt

    parameters = [
        alt.param(name="chosen_set", value=""),
        alt.param(name="chosen_tag", value=""),
        alt.param(name="chosen_metric", value=metrics[0] if metrics else ""),
    ]
    chosen = alt.Chart(values(rows)).transform_filter(f"{CHOSEN} && datum.metric == chosen_metric")
    x = alt.X("release:O", title="release", axis=alt.Axis(labelAngle=0))
    colour = alt.Color("dataset:N")
    promoted = chosen.transform_filter("datum.promoted")
    tooltip = [
        alt.Tooltip("release:O"),
        alt.Tooltip("status:N"),
        alt.Tooltip("dataset:N", title="set"),
        alt.Tooltip("metric:N"),
        alt.Tooltip("mean:Q", format=".3f"),
        alt.Tooltip("low:Q", format=".3f"),
        alt.Tooltip("high:Q", format=".3f"),
        alt.Tooltip("questions:Q"),
        *_coverage_tooltip(rows),
    ]
    points = chosen.encode(x=x, y=share_axis(title), color=colour, tooltip=tooltip)
    counted = promoted.transform_filter("datum.counts")
    return alt.layer(
        band(counted.transform_filter("isValid(datum.low)"), x, title, color=colour),
        counted.mark_line().encode(x=x, y=share_axis(title), color=colour),
        points.transform_filter("datum.promoted && datum.counts").mark_point(filled=True, size=55),
        points.transform_filter("datum.promoted && !datum.counts").mark_point(
            filled=False, size=90, strokeWidth=2
        ),
        points.transform_filter("datum.promoted && !datum.counts")
        .transform_calculate(note="format(datum.coverage, '.0%') + ' judged'")
        .mark_text(dy=16, fontSize=10)
        .encode(text="note:N"),
        points.transform_filter("!datum.promoted").mark_point(
            shape="cross", filled=True, size=90, angle=45
        ),
    ).add_params(*parameters)


def _coverage_tooltip(rows: list[dict[str, Any]]) -> list[Any]:
    import altair as alt

    if not any(row.get("judge") for row in rows):
        return []
    return [alt.Tooltip("coverage:Q", format=".0%"), alt.Tooltip("judge:N")]


def _with_status(data: DashboardData, rows: pl.DataFrame) -> pl.DataFrame:
    status = data.releases.select(
        "release", "status", pl.col("promoted_at").is_not_null().alias("promoted")
    )
    return rows.join(status, on="release", how="left", maintain_order="left").with_columns(
        pl.col("promoted").fill_null(False)
    )


def _ordered(metrics: list[str], first: tuple[str, ...]) -> list[str]:
    """The metrics by name, but those first that most people ask for."""

    def place(metric: str) -> tuple[int, str]:
        for position, start in enumerate(first):
            if metric.startswith(start):
                return position, metric
        return len(first), metric

    return sorted(metrics, key=place)
