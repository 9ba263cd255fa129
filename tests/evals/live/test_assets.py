"""The three assets in Dagster: what they say of a day, and what the UI is told."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from evals.live import store
from evals.live.asset import (
    daily_partitions,
    live_faithfulness_asset,
    query_costs_asset,
    query_log_asset,
)
from rag_assets.platform.dagster_bridge import PLATFORM
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import (
    EvaluationSettings,
    JudgeSettings,
    QuerySettings,
    Settings,
)
from rag_assets.query.log import AnswerLog

from .records import DAY, record
from .test_store import frame, judged

NAMES = ("query_log", "live_faithfulness", "query_costs")


def materialized(platform: Platform) -> dg.ExecuteInProcessResult:
    settings = platform.settings
    result = dg.materialize(
        [
            query_log_asset(settings),
            live_faithfulness_asset(settings),
            query_costs_asset(settings),
        ],
        partition_key=str(DAY),
        resources={PLATFORM: platform},
    )
    assert result.success
    return result


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node(asset)
    return {name: item.value for name, item in event.metadata.items()}


def check(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (found,) = result.get_asset_check_evaluations()
    assert found.severity == dg.AssetCheckSeverity.WARN
    return found


def log(platform: Platform) -> None:
    answers = AnswerLog(platform.database)
    answers.record(record("a", cost_usd=0.5, model="tiny", answerer="llm:tiny"))
    answers.record(record("b", degraded=["llm_timeout"]))
    answers.record(record("c", abstained=True))
    answers.record(record("other day", 24))


def test_a_day_is_shown_and_computing_it_again_changes_nothing(tmp_path: Path) -> None:
    platform = Platform(Settings(home=str(tmp_path)))
    log(platform)
    first = materialized(platform)
    day = metadata(first, "query_log")
    assert (day["queries"], day["abstained"], day["degraded"]) == (3, 1, 1)
    assert (day["total_p50_ms"], day["support"]) == (10.0, 0.5)
    assert "answer_llm_p50_ms" not in day
    faithfulness = metadata(first, "live_faithfulness")
    assert (faithfulness["sampled"], faithfulness["ragline_support"]) == (2, 0.5)
    assert "no judge is configured" in faithfulness["missing"]
    costs = metadata(first, "query_costs")
    assert (costs["queries"], costs["cost_usd"], costs["judge_cost_usd"]) == (3, 0.5, 0.0)
    before = _everything(platform)
    again = materialized(platform)
    assert _everything(platform) == before
    for name in NAMES:
        assert _version(again, name) == _version(first, name)
    AnswerLog(platform.database).record(record("d"))
    assert _version(materialized(platform), "query_log") != _version(first, "query_log")


def test_a_day_without_queries_is_a_row_of_zeros(tmp_path: Path) -> None:
    platform = Platform(Settings(home=str(tmp_path)))
    result = materialized(platform)
    assert "nothing was asked" in metadata(result, "query_log")["note"]
    assert store.query_days(platform.database, DAY, DAY)["queries"].to_list() == [0]
    assert metadata(result, "query_costs")["cost_usd"] == 0.0
    assert check(result).passed


def test_a_log_that_is_off_is_said(tmp_path: Path) -> None:
    platform = Platform(Settings(home=str(tmp_path), query=QuerySettings(log="off")))
    result = materialized(platform)
    for name in NAMES:
        assert "query.log is off" in metadata(result, name)["note"]


def test_too_little_coverage_is_a_warning_that_names_the_metric(tmp_path: Path) -> None:
    judge = JudgeSettings(base_url="http://127.0.0.1:9/v1", metrics=["deepeval.hallucination"])
    platform = Platform(Settings(home=str(tmp_path), judge=judge))
    log(platform)
    result = materialized(platform)
    found = check(result)
    assert not found.passed
    assert "deepeval.hallucination 0 of 2" in (found.description or "")
    assert "the log names no passages" in (found.description or "")
    assert metadata(result, "live_faithfulness")["unreadable"] == 2
    assert "deepeval_hallucination" not in metadata(result, "live_faithfulness")


def test_what_judging_cost_is_a_cost_of_the_day(tmp_path: Path) -> None:
    platform = Platform(Settings(home=str(tmp_path)))
    log(platform)
    store.replace_judgements(platform.database, DAY, frame(judged("a"), judged("b")))
    costs = metadata(materialized(platform), "query_costs")
    assert (costs["judge_cost_usd"], costs["cost_usd"]) == (1.0, 1.5)
    assert metadata(materialized(platform), "query_costs")["cost_usd"] == 1.5


def test_today_is_a_partition_and_tomorrow_is_not() -> None:
    partitions = daily_partitions(Settings(evaluation=EvaluationSettings(first_day="2026-03-01")))
    now = datetime(2026, 3, 14, 0, 1, tzinfo=UTC)
    keys = partitions.get_partition_keys(current_time=now)
    assert (keys[0], keys[-1], len(keys)) == ("2026-03-01", "2026-03-14", 14)


def _everything(platform: Platform) -> list[Any]:
    database = platform.database
    return [
        read(database, DAY, DAY).to_dicts()
        for read in (store.query_days, store.occurrences, store.costs, store.live_scores)
    ]


def _version(result: dg.ExecuteInProcessResult, asset: str) -> str:
    (event,) = result.asset_materializations_for_node(asset)
    assert event.tags is not None
    return event.tags["dagster/data_version"]
