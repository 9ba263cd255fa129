"""What readers said of answers, on the dashboard."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from evals.evaluation_dashboard.daily_figures import feedback
from evals.evaluation_dashboard.data import DashboardData, dashboard_data
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.query.log import answers
from rag_assets.service_records.feedback import Feedback, FeedbackStore
from tests.platform.databases import fresh_database

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
YESTERDAY = NOW - timedelta(days=1)
# answer, rating, when
SAID = [
    ("a1", 1, NOW),
    ("a1", -1, NOW),
    ("a2", -1, NOW),
    ("a2", 0, NOW),
    ("a1", 1, YESTERDAY.replace(hour=23, minute=59)),
    ("a2", 1, NOW.replace(hour=0, minute=0)),
    ("gone", 1, NOW),
    ("a1", 1, NOW - timedelta(days=100)),
]


@pytest.fixture(params=["sqlite", "postgresql"])
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Platform:
    made = Platform(Settings(home=str(tmp_path), database_url=fresh_database(request, tmp_path)))
    answered = {"a1": 1, "a2": 2}
    with made.database.begin() as connection:
        for name, release in answered.items():
            connection.execute(sa.insert(answers).values(**answer(name, release)))
    for number, (name, rating, at) in enumerate(SAID):
        FeedbackStore(made.database).add(Feedback(name, f"user:{number}", rating, at=at))
    return made


def answer(name: str, release: int) -> dict[str, object]:
    """A row with a value of the right kind in every column that needs one."""
    values: dict[str, object] = {}
    for column in answers.columns:
        if not column.nullable:
            kind = column.type.python_type
            values[column.name] = NOW if kind is datetime else {} if kind is dict else kind()
    return {**values, "answer_id": name, "release_id": release}


def test_it_is_counted_by_day_and_by_the_release_that_answered(platform: Platform) -> None:
    data = dashboard_data(platform, NOW)
    assert data.feedback.rows() == [
        (date(2026, 3, 3), 1, 1, 0, 0),
        (date(2026, 3, 4), None, 1, 0, 0),
        (date(2026, 3, 4), 1, 1, 0, 1),
        (date(2026, 3, 4), 2, 1, 1, 1),
    ]
    assert data.feedback.columns == ["day", "release", "up", "neutral", "down"]


def test_the_figure_shows_thumbs_up_and_down(data: DashboardData) -> None:
    day = data.last
    given = pl.DataFrame(
        {"day": [day], "release": [3], "up": [4], "neutral": [9], "down": [2]},
        schema=data.feedback.schema,
    )
    figure = feedback(replace(data, feedback=given))
    assert figure.chart is not None
    shown = [(row["release"], row["said"], row["answers"], row["height"]) for row in figure.rows]
    assert shown == [(3, "helpful", 4, 4), (3, "not right", 2, -2)]
    assert feedback(replace(data, feedback=given.clear())).chart is None


def test_feedback_alone_is_shown_before_any_day_was_added_up(data: DashboardData) -> None:
    given = pl.DataFrame(
        {"day": [data.last], "release": [3], "up": [1], "neutral": [0], "down": [0]},
        schema=data.feedback.schema,
    )
    nothing = {name: getattr(data, name).clear() for name in ("days", "costs", "live")}
    assert feedback(replace(data, feedback=given, **nothing)).chart is not None
