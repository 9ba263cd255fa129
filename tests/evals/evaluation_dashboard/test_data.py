"""What is read for the dashboard, from the generated history and from odd records."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from evals.evaluation_dashboard.data import (
    DashboardData,
    answer_means,
    comparison,
    dashboard_data,
    retrieval_means,
)
from evals.evaluation_dashboard.page import page_of
from evals.evaluations import Evaluation, Evaluations
from evals.retrieval_evaluation.results import read_results
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.releases.registry import Registry

from .history import DAYS, EMPTY_DAY, LIVE, NOW, OUTAGE, PLANTED, REJECTED, RELEASES, SETS


def test_the_history_is_read_as_it_was_written(data: DashboardData, history: Platform) -> None:
    assert data.releases["release"].to_list() == list(range(RELEASES, 0, -1))
    assert data.live_release is not None
    assert data.live_release["release"] == LIVE
    assert set(data.retrieval["dataset"]) == set(SETS)
    assert data.days.height == DAYS - 1
    assert EMPTY_DAY not in data.days["day"].to_list()
    weak = data.live.filter(pl.col("coverage") < data.min_coverage)
    assert set(weak["day"]) <= set(OUTAGE)
    assert {"ragas.faithfulness", "deepeval.faithfulness"} == set(weak["metric"])
    for item in Evaluations(history.database).all("retrieval"):
        rows = read_results(history, item)
        found = data.retrieval.filter(
            release=item.release_id, dataset=item.dataset, tag="", metric="ndcg@10"
        )
        assert abs(found["mean"].item() - rows["ndcg"].mean()) < 1e-9  # type: ignore[operator]


def test_the_questions_that_fell_are_named_with_both_rankings(data: DashboardData) -> None:
    fell = data.regressed.filter(release=REJECTED, dataset="handbook")
    assert set(PLANTED) <= set(fell["question_id"])
    planted = fell.filter(pl.col("question_id").is_in(list(PLANTED)))
    for row in planted.to_dicts():
        assert row["baseline"] == LIVE
        assert row["relevant"][0] in row["baseline_ranking"]
        assert row["relevant"][0] not in row["ranking"]
        assert row["difference"] == row["ndcg"] - row["baseline_ndcg"] < 0
    assert data.regressed["release"].is_sorted(descending=True)
    worse = data.comparisons.select("release", "dataset", "worse").filter(pl.col("worse") <= 20)
    counted = data.regressed.group_by("release", "dataset").len()
    both = worse.join(counted, on=["release", "dataset"], how="left").fill_null(0)
    assert (both["worse"] == both["len"]).all()


def test_the_newest_evaluation_of_a_release_counts(history: Platform, data: DashboardData) -> None:
    old = Evaluations(history.database).of_release(3, "retrieval")[0]
    metrics = {"ndcg@10": 0.123}
    earlier = replace(
        old,
        evaluation_id="earlier",
        created_at=old.created_at - timedelta(days=1),
        summary={**old.summary, "metrics": metrics},
    )
    Evaluations(history.database).record([earlier])
    assert dashboard_data(history, NOW).retrieval.equals(data.retrieval)


def test_only_the_days_asked_for_are_read(history: Platform) -> None:
    week = dashboard_data(history, NOW, 7)
    days = [NOW.date() - timedelta(days=n) for n in range(6, -1, -1)]
    assert week.days["day"].to_list() == days
    assert set(week.costs["day"]) == set(days)


def test_an_empty_deployment_has_empty_tables(empty: DashboardData) -> None:
    assert empty.live_release is None
    for frame in (empty.releases, empty.retrieval, empty.answers, empty.days, empty.live):
        assert frame.is_empty()


def record(kind: Any, **summary: Any) -> Evaluation:
    return Evaluation(kind, "set", 2, summary, baseline_release_id=1)


def test_records_of_other_versions_are_tolerated() -> None:
    assert retrieval_means(record("retrieval")) == []
    assert answer_means(record("answer", metrics=None, judge=None)) == []
    assert comparison(record("retrieval", gain=None)) is None
    # the gain over the better leg, of an evaluation by hand, is no comparison of releases
    leg = {"metric": "ndcg@10", "mean": 0.1, "confidence": [0.0, 0.2], "over": "dense"}
    assert comparison(record("retrieval", gain=leg)) is None


def test_a_score_that_does_not_count_stays_one_that_does_not_count() -> None:
    judge = {"ragas.faithfulness": {"mean": 0.9, "coverage": 0.3, "counts": False, "judged": 3}}
    nothing = {"mean": None, "confidence": None, "n": 0}
    [row] = answer_means(record("answer", metrics={"support": nothing}, judge=judge))
    assert (row["mean"], row["coverage"], row["counts"], row["low"]) == (0.9, 0.3, False, None)


def test_a_mean_that_is_no_number_is_unknown_and_the_page_is_written(
    tmp_path: Path,
) -> None:
    platform = Platform(Settings(home=str(tmp_path)))
    Registry(platform.database).add_candidate(
        table_name="chunks",
        lance_version=1,
        fingerprints={},
        partitions={},
        documents=1,
        chunks=1,
        manifest_sha256="",
        run_id="",
    )
    summary = {"metrics": {"ndcg@10": float("nan")}, "queries": 0}
    Evaluations(platform.database).record([Evaluation("retrieval", "set", 1, summary)])
    found = dashboard_data(platform, NOW)
    assert found.retrieval["mean"].to_list() == [None]
    page = page_of(found)
    assert page.figures[0].chart is None  # an axis without values has no ends
    assert "index.html" in page.folder()
