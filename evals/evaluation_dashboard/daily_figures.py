"""Figures over the days of real use: latency, cost, rates, queries."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from evals.live.schema import PERCENTILES, TIMINGS

from .charts import (
    MARKERS,
    bar_days,
    colour_of,
    day_axis,
    day_tooltip,
    shown_days,
    text_of,
    values,
    with_markers,
)
from .data import DashboardData
from .figure import Choice, Figure, specification

NO_DAYS = "No day of real use yet: materialize query_log in the Dagster UI, or wait for tonight."
STAGES = {"total": "whole answer", "retrieve": "search", "answer_llm": "LLM"}
THUMBS = {"up": "helpful", "down": "not right"}
RATES = {"abstained_share": "abstained", "degraded_share": "degraded", "errors_share": "errors"}


def daily_figures(data: DashboardData) -> list[Figure]:
    """The figures over the days that need no judge."""
    return [
        latency(data),
        cost(data),
        rates(data),
        queries(data),
        feedback(data),
    ]


def latency(data: DashboardData) -> Figure:
    """How long answers took, by day."""
    rows = [
        {
            "day": text_of(day),
            "stage": STAGES[timing],
            "percentile": f"p{percentile}",
            "ms": row.get(f"{timing}_p{percentile}_ms"),
        }
        for day, row in _each_day(data)
        for timing in TIMINGS
        for percentile in PERCENTILES
    ]
    known = {row["stage"] for row in rows if row["ms"] is not None}
    figure = Figure(
        "latency",
        "Latency by day",
        f"Half of the queries were faster than p50, one in a hundred slower than p99. {MARKERS}",
        "days",
        NO_DAYS,
    )
    if not known:
        return figure
    import altair as alt

    stages = tuple(name for name in STAGES.values() if name in known)
    chosen = alt.Chart(values(rows)).transform_filter("datum.stage == chosen_stage")
    lines = chosen.mark_line(point=alt.OverlayMarkDef(size=18)).encode(
        x=day_axis(data),
        y=alt.Y("ms:Q", title="milliseconds"),
        color=alt.Color("percentile:N", sort=[f"p{item}" for item in PERCENTILES]),
        strokeDash=alt.StrokeDash("percentile:N", legend=None),
        tooltip=[*day_tooltip(), alt.Tooltip("percentile:N"), alt.Tooltip("ms:Q", format=",.0f")],
    )
    chart = with_markers(data, lines).add_params(alt.param(name="chosen_stage", value=stages[0]))
    return replace(
        figure,
        chart=specification(chart),
        columns={"day": "day", "stage": "stage", "percentile": "percentile", "ms": "milliseconds"},
        rows=[row for row in rows if row["ms"] is not None],
        choices=(Choice("chosen_stage", "Stage", stages),),
    )


def cost(data: DashboardData) -> Figure:
    """What was paid, by day and model."""
    figure = Figure(
        "cost",
        "Cost by day and model",
        f"USD for the answers of each model, and for judging a sample of them. {MARKERS}",
        "days",
        "No costs yet: materialize query_costs in the Dagster UI, or wait for tonight.",
    )
    rows = [
        {
            **{
                name: row[name]
                for name in ("queries", "prompt_tokens", "completion_tokens", "cost_usd")
            },
            "day": text_of(row["day"]),
            "who": " · ".join(filter(None, (row["answerer"], row["model"]))),
        }
        for row in data.costs.to_dicts()
    ]
    if not rows:
        return figure
    import altair as alt

    bars = (
        alt.Chart(values(rows))
        .mark_bar(binSpacing=1)
        .encode(
            x=bar_days(data),
            y=alt.Y("cost_usd:Q", title="USD", stack="zero", axis=alt.Axis(format="$,.2~f")),
            color=colour_of("who", legend=True),
            tooltip=[
                *day_tooltip(),
                alt.Tooltip("who:N", title="model"),
                alt.Tooltip("cost_usd:Q", title="USD", format="$,.4f"),
                alt.Tooltip("queries:Q", format=","),
            ],
        )
    )
    columns = {"day": "day", "who": "model", "cost_usd": "USD", "queries": "queries"}
    tokens = {"prompt_tokens": "prompt tokens", "completion_tokens": "completion tokens"}
    return replace(
        figure,
        chart=specification(with_markers(data, bars)),
        columns={**columns, **tokens},
        rows=rows,
    )


def rates(data: DashboardData) -> Figure:
    """How often no answer was given, or not the full one."""
    figure = Figure(
        "rates",
        "Abstained, degraded and failed by day",
        f"Share of the day's queries: refused for want of evidence, answered without a part that "
        f"failed, ended by an error. {MARKERS}",
        "days",
        NO_DAYS,
    )
    rows = [
        {"day": text_of(day), "kind": kind, "share": row.get(name), "queries": row.get("queries")}
        for day, row in _each_day(data)
        for name, kind in RATES.items()
    ]
    if not any(row["share"] is not None for row in rows):
        return figure
    import altair as alt

    lines = (
        alt.Chart(values(rows))
        .mark_line(point=alt.OverlayMarkDef(size=18))
        .encode(
            x=day_axis(data),
            y=alt.Y("share:Q", title="share of queries", axis=alt.Axis(format="%")),
            color=alt.Color("kind:N", sort=list(RATES.values())),
            strokeDash=alt.StrokeDash("kind:N", sort=list(RATES.values()), legend=None),
            tooltip=[
                *day_tooltip(),
                alt.Tooltip("kind:N"),
                alt.Tooltip("share:Q", format=".1%"),
                alt.Tooltip("queries:Q", format=","),
            ],
        )
    )
    return replace(
        figure,
        chart=specification(with_markers(data, lines)),
        columns={"day": "day", "kind": "kind", "share": "share", "queries": "queries"},
        rows=[row for row in rows if row["share"] is not None],
    )


def queries(data: DashboardData) -> Figure:
    """How much was asked, by day."""
    figure = Figure(
        "queries",
        "Queries by day",
        f"How much the other numbers of a day rest on; a day without a bar was not computed. {MARKERS}",
        "days",
        NO_DAYS,
    )
    rows = [
        {
            "day": text_of(row["day"]),
            **{name: row[name] for name in ("queries", "distinct_questions")},
        }
        for row in data.days.to_dicts()
    ]
    if not rows:
        return figure
    import altair as alt

    tooltip = [
        *day_tooltip(),
        alt.Tooltip("queries:Q", format=","),
        alt.Tooltip("distinct_questions:Q", title="distinct questions", format=","),
    ]
    bars = (
        alt.Chart(values(rows))
        .mark_bar(binSpacing=1)
        .encode(x=bar_days(data), y=alt.Y("queries:Q", title="queries"), tooltip=tooltip)
    )
    return replace(
        figure,
        chart=specification(with_markers(data, bars)),
        columns={"day": "day", "queries": "queries", "distinct_questions": "distinct questions"},
        rows=rows,
    )


def feedback(data: DashboardData) -> Figure:
    """What readers said of answers, by day and by the release that had answered."""
    figure = Figure(
        "feedback",
        "Feedback by day and release",
        "Answers that readers called helpful, and below the line those that they called not right. "
        f"{MARKERS}",
        "days",
        "No feedback yet: readers give it in the chat page, or by POST /v1/feedback.",
    )
    counted = data.feedback.to_dicts()
    rows = [
        {
            "day": text_of(row["day"]),
            "release": row["release"],
            "said": said,
            "answers": row[name],
            "height": row[name] if name == "up" else -row[name],
        }
        for row in counted
        for name, said in THUMBS.items()
        if row[name]
    ]
    if not rows:
        return figure
    import altair as alt

    said = list(THUMBS.values())
    bars = (
        alt.Chart(values(rows))
        .mark_bar(binSpacing=1)
        .encode(
            x=bar_days(data),
            y=alt.Y("height:Q", title="answers", axis=alt.Axis(format="d")),
            color=alt.Color("said:N", sort=said),
            tooltip=[
                *day_tooltip(),
                alt.Tooltip("release:N"),
                alt.Tooltip("said:N"),
                alt.Tooltip("answers:Q", format=","),
            ],
        )
    )
    return replace(
        figure,
        chart=specification(with_markers(data, bars)),
        columns={"day": "day", "release": "release", "said": "said", "answers": "answers"},
        rows=rows,
    )


def _each_day(data: DashboardData) -> Sequence[tuple[Any, Mapping[str, Any]]]:
    known = {row["day"]: row for row in data.days.to_dicts()}
    return [(day, known.get(day, {})) for day in shown_days(data)] if known else []
