"""What is healthy and what regressed, said of histories whose truth is known."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.evaluation_dashboard.data import DashboardData
from evals.evaluation_dashboard.findings import Finding, findings, pooled
from evals.evaluation_dashboard.summary import tiles

from .history import EMPTY_DAY, LIVE, REJECTED


def about(data: DashboardData, subject: str) -> list[Finding]:
    return [item for item in findings(data) if item.subject.startswith(subject)]


def test_the_planted_regression_comes_first_and_with_numbers(data: DashboardData) -> None:
    first, second, *others = findings(data)
    assert first.subject == f"Release {REJECTED}"
    assert second.subject == f"Retrieval, set handbook, release {REJECTED}"
    assert f"against release {LIVE}" in second.text
    assert (first.status, second.status) == ("bad", "bad")
    assert all(item.status != "bad" for item in others)


def test_a_judge_that_failed_and_a_day_without_data_are_to_be_looked_at(
    data: DashboardData,
) -> None:
    [days] = about(data, "Days")
    assert f"{EMPTY_DAY}" in days.text
    answers = about(data, "Answers, set handbook")
    assert [item.status for item in answers] == ["watch"]
    assert "38%" in answers[0].text


def lower(data: DashboardData, change: float) -> DashboardData:
    """The same, with the faithfulness of the last week changed."""
    last = pl.col("day") > data.last - timedelta(days=7)
    changed = [
        pl.when(last).then(pl.col(name) + change).otherwise(pl.col(name)).alias(name)
        for name in ("mean", "low", "high")
    ]
    return replace(data, live=data.live.with_columns(changed))


def test_a_fall_of_live_faithfulness_is_a_regression_and_a_rise_is_not(data: DashboardData) -> None:
    assert [item.status for item in about(data, "Real answers")] == ["good"]
    assert [item.status for item in about(lower(data, -0.1), "Real answers")] == ["bad"]
    assert [item.status for item in about(lower(data, 0.1), "Real answers")] == ["good"]


@pytest.mark.parametrize(
    ("column", "subject"), [("total_p95_ms", "Latency"), ("cost_usd_per_query", "Cost")]
)
def test_a_slower_or_dearer_week_is_to_be_looked_at(
    data: DashboardData, column: str, subject: str
) -> None:
    last = pl.col("day") > data.last - timedelta(days=7)
    days = data.days.with_columns(pl.when(last).then(pl.col(column) * 2).otherwise(pl.col(column)))
    assert [item.status for item in about(replace(data, days=days), subject)] == ["watch"]
    assert [item.status for item in about(data, subject)] == ["good"]


def test_nothing_known_is_neither_healthy_nor_regressed(empty: DashboardData) -> None:
    assert {item.status for item in findings(empty)} == {"unknown"}
    assert [tile.value for tile in tiles(empty)][:4] == ["–"] * 4


def test_the_head_shows_the_live_release_and_its_quality(data: DashboardData) -> None:
    shown = {tile.label: tile.value for tile in tiles(data)}
    assert shown["Live release"] == str(LIVE)
    rows = data.retrieval.filter(release=LIVE, tag="", metric="ndcg@10")
    mean = np.average(rows["mean"], weights=rows["questions"])
    assert shown["Retrieval, ndcg@10"] == f"{mean:.3f}"


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(0, 0.2), st.integers(1, 50)), min_size=1, max_size=10
    )
)
def test_days_are_pooled_by_how_many_were_judged(days: list[tuple[float, float, int]]) -> None:
    rows = pl.DataFrame(
        [
            {"mean": mean, "low": mean - width, "high": mean + width, "judged": judged}
            for mean, width, judged in days
        ]
    )
    found = pooled(rows)
    assert found is not None
    mean, error = found
    assert mean == pytest.approx(
        np.average([day[0] for day in days], weights=[day[2] for day in days])
    )
    # never surer than the surest, never less sure than the least sure day
    assert 0 <= error <= max(width for _, width, _ in days) / 1.959964 + 1e-12
    if len(days) == 1:
        assert error == pytest.approx(days[0][1] / 1.959964)
