"""The figures: what is drawn is what is known, and what does not count is not drawn as if it did."""

import io

import pytest
from PIL import Image

from evals.evaluation_dashboard.charts import marked_releases
from evals.evaluation_dashboard.data import DashboardData
from evals.evaluation_dashboard.figure import picture
from evals.evaluation_dashboard.figures import figures
from evals.evaluation_dashboard.live_figures import live_rows
from evals.evaluation_dashboard.theme import DARK, LIGHT

from .history import EMPTY_DAY, LIVE, OUTAGE, REJECTED

LARGEST = 60_000


def distance(colour: tuple[int, ...], name: str) -> int:
    """Between a pixel and a colour like #1666c0."""
    other = [int(name[place : place + 2], 16) for place in (1, 3, 5)]
    return sum(abs(one - another) for one, another in zip(colour, other, strict=True))


def test_every_figure_is_a_small_picture_with_something_on_it(data: DashboardData) -> None:
    for figure in figures(data):
        drawn = picture(figure)
        image = Image.open(io.BytesIO(drawn)).convert("RGB")
        assert len(drawn) < LARGEST
        assert image.width > 600
        near = sum(
            count
            for count, colour in image.getcolors(1 << 24)
            if any(distance(colour, series) < 40 for series in LIGHT["series"])
        )
        assert near > 200, figure.name


def test_a_day_without_data_is_a_gap_and_not_bridged(data: DashboardData) -> None:
    day = f"{EMPTY_DAY}"
    empty = [row for row in live_rows(data) if row["day"] == day]
    assert {row["metric"] for row in empty} == set(data.live["metric"])
    assert all(row["mean"] is None for row in empty)
    drawn = {figure.name: figure.chart for figure in figures(data)}
    for name in ("latency", "rates"):
        chart = drawn[name]
        assert chart is not None
        rows = [row for part in chart["datasets"].values() for row in part]
        missing = [row for row in rows if row["day"] == day]
        assert missing
        assert all(row.get("ms") is None and row.get("share") is None for row in missing)


def test_a_score_of_too_few_judgements_does_not_count(data: DashboardData) -> None:
    rows = [row for row in live_rows(data) if row["metric"] == "ragas.faithfulness"]
    weak = [row["day"] for row in rows if row["mean"] is not None and not row["counts"]]
    assert weak == [f"{day}" for day in OUTAGE]


def test_promotions_are_marked_and_rejections_are_not(data: DashboardData) -> None:
    marked = [row["release"] for row in marked_releases(data)]
    assert marked == list(range(1, LIVE + 1))
    assert REJECTED not in marked


def test_without_data_a_figure_says_what_to_do(empty: DashboardData) -> None:
    for figure in figures(empty):
        assert figure.chart is None
        assert len(figure.empty) > 20
        with pytest.raises(ValueError, match=figure.name):
            picture(figure)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_colours_stand_out_from_their_background(theme: dict[str, str]) -> None:
    def contrast(colour: str) -> float:
        one, other = sorted((_luminance(colour), _luminance(theme["background"])))
        return (other + 0.05) / (one + 0.05)

    assert all(contrast(theme[name]) >= 4.5 for name in ("text", "quiet"))
    # labels are drawn in these colours too
    assert all(contrast(colour) >= 4.5 for colour in theme["series"])
