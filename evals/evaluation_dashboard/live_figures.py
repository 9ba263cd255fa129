"""Figures of the judged answers of real users, by day: faithfulness, and how much could be judged."""

from dataclasses import replace
from typing import Any

import polars as pl

from .charts import (
    MARKERS,
    band,
    bar_days,
    colour_of,
    day_axis,
    day_tooltip,
    limit,
    share_axis,
    shown_days,
    text_of,
    values,
    with_markers,
)
from .data import DashboardData
from .figure import Choice, Figure, specification

NO_JUDGE = "No answer judged yet: set judge.base_url (RAG_JUDGE__BASE_URL) and materialize live_faithfulness."
FIRST_LIVE = ("ragas.faithfulness", "deepeval.faithfulness", "ragline.support")


def live_figures(data: DashboardData) -> list[Figure]:
    """The figures of what the judge said."""
    return [live_faithfulness(data), judge_coverage(data)]


def live_faithfulness(data: DashboardData) -> Figure:
    """How faithful real answers were, by day."""
    figure = Figure(
        "live_faithfulness",
        "Faithfulness of real answers by day",
        f"Mean over a sample of the day's answers with its 95% interval. A hollow point does not count: "
        f"less than {data.min_coverage:.0%} of the sample could be judged. {MARKERS}",
        "days",
        NO_JUDGE,
    )
    rows = live_rows(data)
    if not rows:
        return figure
    import altair as alt

    metrics = live_metrics(data)
    chosen = alt.Chart(values(rows)).transform_filter("datum.metric == chosen_live")
    # a day that does not count breaks the line; it is not bridged
    counted = chosen.transform_calculate(
        mean="datum.counts ? datum.mean : null",
        low="datum.counts ? datum.low : null",
        high="datum.counts ? datum.high : null",
    )
    x, y = day_axis(data), share_axis("mean")
    tooltip = [
        *day_tooltip(),
        alt.Tooltip("mean:Q", format=".3f"),
        alt.Tooltip("low:Q", format=".3f"),
        alt.Tooltip("high:Q", format=".3f"),
        alt.Tooltip("judged:Q"),
        alt.Tooltip("coverage:Q", format=".0%"),
    ]
    points = chosen.transform_filter("isValid(datum.mean)").encode(
        x=x, y=y, tooltip=tooltip, color=colour_of("metric")
    )
    chart = with_markers(
        data,
        band(counted, x, "mean", color=colour_of("metric")),
        counted.mark_line().encode(x=x, y=y, color=colour_of("metric")),
        points.transform_filter("datum.counts").mark_point(filled=True, size=28, opacity=1),
        points.transform_filter("!datum.counts").mark_point(filled=False, size=80, strokeWidth=2),
    ).add_params(alt.param(name="chosen_live", value=metrics[0]))
    columns = {"day": "day", "metric": "metric", "mean": "mean", "low": "low", "high": "high"}
    return replace(
        figure,
        chart=specification(chart),
        columns={**columns, "judged": "judged", "coverage": "coverage"},
        rows=[row for row in rows if row["coverage"] is not None],
        choices=(Choice("chosen_live", "Metric", tuple(metrics)),),
    )


def judge_coverage(data: DashboardData) -> Figure:
    """What share of the sample could be judged, by day."""
    figure = Figure(
        "judge_coverage",
        "Coverage of the judge by day",
        f"Share of the sampled answers that the judge could judge; below the dashed line "
        f"({data.min_coverage:.0%}) the day's score does not count. {MARKERS}",
        "days",
        NO_JUDGE,
    )
    rows = [row for row in live_rows(data) if row["coverage"] is not None]
    if not rows:
        return figure
    import altair as alt

    metrics = live_metrics(data)
    bars = (
        alt.Chart(values(rows))
        .transform_filter("datum.metric == chosen_live")
        .mark_bar(binSpacing=1)
        .encode(
            x=bar_days(data),
            y=alt.Y(
                "coverage:Q",
                title="judged",
                axis=alt.Axis(format="%"),
                scale=alt.Scale(domain=[0, 1]),
            ),
            color=alt.Color(
                "enough:N", scale=alt.Scale(domain=["enough judged", "too few judged"])
            ),
            tooltip=[
                *day_tooltip(),
                alt.Tooltip("judged:Q"),
                alt.Tooltip("applicable:Q", title="sampled"),
                alt.Tooltip("coverage:Q", format=".0%"),
            ],
        )
    )
    chart = with_markers(data, bars, limit(data.min_coverage)).add_params(
        alt.param(name="chosen_live", value=metrics[0])
    )
    columns = {"day": "day", "metric": "metric", "judged": "judged", "applicable": "sampled"}
    return replace(
        figure,
        chart=specification(chart),
        columns={**columns, "coverage": "coverage"},
        rows=rows,
        choices=(Choice("chosen_live", "Metric", tuple(metrics)),),
    )


def live_metrics(data: DashboardData) -> list[str]:
    """The metrics of real answers, faithfulness first."""
    found = data.live.filter(pl.col("coverage").is_not_null())["metric"].unique().to_list()
    first = [metric for metric in FIRST_LIVE if metric in found]
    return first + sorted(set(found) - set(first))


def live_rows(data: DashboardData) -> list[dict[str, Any]]:
    """A row for every metric and day, empty where the day was not judged."""
    known = {(row["metric"], row["day"]): row for row in data.live.to_dicts()}
    nothing = dict.fromkeys(("mean", "low", "high", "judged", "applicable", "coverage"))
    rows = []
    for metric in live_metrics(data):
        for day in shown_days(data):
            found = known.get((metric, day), {})
            row = {name: found.get(name) for name in nothing}
            enough = row["coverage"] is not None and row["coverage"] >= data.min_coverage
            label = "enough judged" if enough else "too few judged"
            rows.append(
                {**row, "metric": metric, "day": text_of(day), "counts": enough, "enough": label}
            )
    return rows
