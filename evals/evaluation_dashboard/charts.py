"""Parts that figures share: axes, bands of confidence, markers of releases."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from .data import DashboardData
from .theme import LIMIT, MARKER_LABEL, MARKER_RULE

MARKERS = "A dotted line is a release that became live."
Rows = Sequence[Mapping[str, Any]]


def values(rows: Rows) -> Any:
    """Rows as the data of a chart."""
    import altair as alt

    return alt.InlineData(values=[dict(row) for row in rows])


def text_of(day: date) -> str:
    """A day as Vega reads it: as midnight of UTC."""
    return day.isoformat()


def every_day(first: date, last: date) -> list[date]:
    """The days from first to last, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def shown_days(data: DashboardData) -> list[date]:
    """The days of the daily figures: from the first that is known, so that a gap shows as one."""
    frames = (data.days, data.costs, data.live, data.feedback)
    known = [day for frame in frames for day in frame["day"]]
    return every_day(min(known), data.last) if known else []


def day_axis(data: DashboardData) -> Any:
    """The axis of the days, the same in every daily figure."""
    import altair as alt

    days = shown_days(data)
    domain = [text_of(days[0]), text_of(days[-1] + timedelta(days=1))]
    return alt.X(
        "day:T",
        title=None,
        scale=alt.Scale(type="utc", domain=domain, nice=False),
        axis=alt.Axis(format="%-d %b", tickCount=6),
    )


def share_axis(title: str, field: str = "mean", **scale: Any) -> Any:
    """An axis of scores from 0 to 1, no wider than what is there."""
    import altair as alt

    return alt.Y(f"{field}:Q", title=title, scale=alt.Scale(zero=False, nice=True, **scale))


def band(chart: Any, x: Any, title: str, **encoding: Any) -> Any:
    """The confidence band of a line."""
    import altair as alt

    return chart.mark_area(opacity=0.13).encode(
        x=x, y=share_axis(title, "low"), y2=alt.Y2("high:Q"), **encoding
    )


def limit(value: float) -> Any:
    """A line at a value that must be reached."""
    import altair as alt

    return alt.Chart(values([{"limit": value}])).mark_rule(style=LIMIT).encode(y="limit:Q")


def marked_releases(data: DashboardData) -> list[dict[str, Any]]:
    """When which release became live, in the days that are shown."""
    days = shown_days(data)
    if not days:
        return []
    start = datetime.combine(days[0], time(), UTC)
    return [
        {
            "day": row["promoted_at"].isoformat(),
            "release": row["release"],
            "label": f"R{row['release']}",
        }
        for row in data.releases.sort("release").to_dicts()
        if row["promoted_at"] is not None and row["promoted_at"] >= start
    ]


def with_markers(data: DashboardData, *layers: Any) -> Any:
    """Some layers over the days, and when a release became live."""
    import altair as alt

    marked = marked_releases(data)
    if not marked:
        return alt.layer(*layers)
    base = alt.Chart(values(marked)).encode(x=day_axis(data))
    tooltip = [
        alt.Tooltip("release:Q", title="release"),
        alt.Tooltip("utcyearmonthdate(day):T", title="live since", format="%-d %b %Y"),
    ]
    rule = base.mark_rule(style=MARKER_RULE).encode(tooltip=tooltip)
    label = base.mark_text(style=MARKER_LABEL, dy=-2).encode(y=alt.value(0), text="label:N")
    return alt.layer(rule, label, *layers)


def bar_days(data: DashboardData) -> Any:
    """The axis of the days for bars, each as wide as its day."""
    axis = day_axis(data)
    axis.shorthand = "utcyearmonthdate(day):T"
    return axis


def day_tooltip() -> list[Any]:
    """The day, as a tooltip begins."""
    import altair as alt

    return [alt.Tooltip("utcyearmonthdate(day):T", title="day", format="%a %-d %b %Y")]


def colour_of(field: str, *, legend: bool = False) -> Any:
    """A colour for every value of a field."""
    import altair as alt

    return alt.Color(f"{field}:N") if legend else alt.Color(f"{field}:N", legend=None)
