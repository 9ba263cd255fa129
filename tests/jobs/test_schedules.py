"""When the evaluations of real use run: what a tick asks for, and a real daemon that does it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.test_utils import create_run_for_test

from evals.live import store
from evals.live.days import ONE_DAY, day_of
from rag_assets.platform.dagster_bridge import PLATFORM
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import EvaluationSettings, QuerySettings, Settings
from rag_assets.query.log import AnswerLog, AnswerRecord
from rag_assets.releases.registry import Registry
from rag_jobs.assembly import build_definitions
from rag_jobs.instance import open_instance
from rag_jobs.schedules import RUN_KEY_TAG, schedules
from tests.jobs.daemon import Daemon, running_daemon

DEFINITIONS = "rag_jobs.definitions"
TODAY = date(2026, 3, 14)
TICK = datetime(2026, 3, 14, 9, 15, tzinfo=UTC)


def platform_in(folder: Path, **sections: Any) -> Platform:
    return Platform(Settings(home=str(folder), **sections))


def release(platform: Platform) -> None:
    """A release in the registry; nothing here reads its index."""
    registry = Registry(platform.database)
    added = registry.add_candidate(
        table_name="chunks_1",
        lance_version=1,
        fingerprints={},
        partitions={},
        documents=1,
        chunks=1,
        manifest_sha256="",
        run_id="run",
    )
    registry.promote(added.id, {})


def ask(platform: Platform, day: date, *answer_ids: str, **values: Any) -> None:
    """Questions at noon of a day."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    for answer_id in answer_ids:
        fixed: dict[str, Any] = {
            "question": "Why?",
            "answer": "Because.",
            "answerer": "llm:tiny",
            "model": "tiny",
            "prompt_tokens": 100,
            "completion_tokens": 10,
            "cost_usd": 0.5,
            "timings_ms": {"total": 12.0},
            "support": [{"sentence": "Because.", "markers": [], "score": 0.5}],
        }
        AnswerLog(platform.database).record(
            AnswerRecord(answer_id=answer_id, asked_at=noon, release_id=1, **{**fixed, **values})
        )


def tick(
    platform: Platform, name: str, at: datetime = TICK, instance: DagsterInstance | None = None
) -> tuple[list[dg.RunRequest], str]:
    """What a schedule asks for at a time, and why it asks for nothing."""
    if instance is None:
        with temporary_instance(platform) as instance:
            return tick(platform, name, at, instance)
    found = {item.name: item for item in schedules(platform.settings)}[name]
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=at,
        resources={PLATFORM: platform},
        repository_def=repository(),
    )
    data = found.evaluate_tick(context)
    return list(data.run_requests or []), data.skip_message or ""


@cache
def repository() -> dg.RepositoryDefinition:
    """What a tick looks its job and partitions up in; it takes a second to make."""
    return build_definitions(Platform(Settings())).get_repository_def()


def temporary_instance(platform: Platform) -> DagsterInstance:
    """An instance on the disk: an ephemeral one cannot be handed to a schedule."""
    folder = platform.state_path / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    return DagsterInstance.local_temp(str(folder))


def days(requests: Sequence[dg.RunRequest]) -> list[str | None]:
    return [request.partition_key for request in requests]


EVERY = [
    "nightly_answer_evaluation",
    "hourly_live_faithfulness",
    "daily_query_costs",
    "nightly_verification",
    "weekly_maintenance",
]
# those that read the query log
READING = EVERY[1:3]


def test_they_run_by_themselves_and_in_utc() -> None:
    found = schedules(Settings(evaluation=EvaluationSettings(live_cron="7 * * * *")))
    assert [item.name for item in found] == EVERY
    assert [item.cron_schedule for item in found] == [
        "0 3 * * *",
        "7 * * * *",
        "30 0 * * *",
        "45 3 * * *",
        "0 4 * * 0",
    ]
    assert {item.execution_timezone for item in found} == {"UTC"}
    assert {item.default_status for item in found} == {dg.DefaultScheduleStatus.RUNNING}


@pytest.mark.parametrize("name", EVERY)
def test_before_the_first_release_there_is_nothing_to_do(name: str, tmp_path: Path) -> None:
    platform = platform_in(tmp_path)
    requests, reason = tick(platform, name)
    assert requests == []
    assert "nothing has been released yet" in reason
    release(platform)
    if name not in READING:
        assert len(tick(platform, name)[0]) == 1


@pytest.mark.parametrize("name", READING)
def test_without_a_log_there_is_nothing_to_read(name: str, tmp_path: Path) -> None:
    platform = platform_in(tmp_path, query=QuerySettings(log="off"))
    release(platform)
    requests, reason = tick(platform, name)
    assert requests == []
    assert "query.log is off" in reason


def test_today_and_once_more_yesterday(tmp_path: Path) -> None:
    platform = platform_in(tmp_path)
    release(platform)
    name = "hourly_live_faithfulness"
    assert tick(platform, name) == ([], "nothing was asked yesterday and today")
    ask(platform, TODAY, "a")
    assert days(tick(platform, name)[0]) == ["2026-03-14"]
    ask(platform, TODAY - ONE_DAY, "b")
    assert days(tick(platform, name)[0]) == ["2026-03-13", "2026-03-14"]
    ask(platform, TODAY - 2 * ONE_DAY, "c")
    assert days(tick(platform, name)[0]) == ["2026-03-13", "2026-03-14"]


def started(instance: DagsterInstance, request: dg.RunRequest, status: DagsterRunStatus) -> None:
    """The run that a daemon makes of a request."""
    key = request.run_key
    assert key is not None
    create_run_for_test(instance, tags={RUN_KEY_TAG: key}, status=status)


def test_a_day_is_asked_for_again_only_when_there_is_something_new(tmp_path: Path) -> None:
    platform = platform_in(tmp_path)
    release(platform)
    name, later = "hourly_live_faithfulness", TICK + timedelta(hours=1)
    ask(platform, TODAY, "a")
    ask(platform, TODAY - ONE_DAY, "b")
    with temporary_instance(platform) as instance:
        for request in tick(platform, name, TICK, instance)[0]:
            started(instance, request, DagsterRunStatus.STARTED)
        assert tick(platform, name, later, instance) == ([], "nothing was asked since the last run")
        ask(platform, TODAY, "c")
        assert days(tick(platform, name, later, instance)[0]) == ["2026-03-14"]


def test_the_last_hour_of_a_day_is_counted_on_the_next(tmp_path: Path) -> None:
    platform = platform_in(tmp_path)
    release(platform)
    name = "hourly_live_faithfulness"
    ask(platform, TODAY, "a")
    with temporary_instance(platform) as instance:
        last = TICK.replace(hour=23)
        for request in tick(platform, name, last, instance)[0]:
            started(instance, request, DagsterRunStatus.SUCCESS)
        # nothing came after the last run, but the day's sample was not the whole day's yet
        (request,) = tick(platform, name, last + timedelta(hours=1), instance)[0]
        assert request.partition_key == "2026-03-14"
        started(instance, request, DagsterRunStatus.SUCCESS)
        assert tick(platform, name, last + timedelta(hours=2), instance)[0] == []


@pytest.mark.parametrize("name", READING)
def test_what_failed_is_tried_again(name: str, tmp_path: Path) -> None:
    platform = platform_in(tmp_path)
    release(platform)
    ask(platform, TODAY - ONE_DAY, "a")
    with temporary_instance(platform) as instance:
        (request,) = tick(platform, name, TICK, instance)[0]
        started(instance, request, DagsterRunStatus.FAILURE)
        (again,) = tick(platform, name, TICK + timedelta(hours=1), instance)[0]
        assert again.partition_key == request.partition_key == "2026-03-13"
        started(instance, again, DagsterRunStatus.SUCCESS)
        assert tick(platform, name, TICK + timedelta(hours=2), instance)[0] == []


def test_the_costs_of_a_day_without_queries_are_added_up_too(tmp_path: Path) -> None:
    platform = platform_in(tmp_path)
    release(platform)
    assert days(tick(platform, "daily_query_costs")[0]) == ["2026-03-13"]


def test_nothing_is_asked_for_before_the_first_day(tmp_path: Path) -> None:
    platform = platform_in(tmp_path, evaluation=EvaluationSettings(first_day="2026-03-14"))
    release(platform)
    ask(platform, TODAY, "a")
    ask(platform, TODAY - ONE_DAY, "b")
    assert days(tick(platform, "hourly_live_faithfulness")[0]) == ["2026-03-14"]
    requests, reason = tick(platform, "daily_query_costs")
    assert requests == []
    assert "first_day" in reason


@dataclass(frozen=True)
class Deployment:
    """A deployment whose daemon runs.

    Attributes:
        missed: a day with queries that no schedule looks at any more.
        backfill: id of its backfill.
    """

    platform: Platform
    instance: DagsterInstance
    daemon: Daemon
    missed: date
    backfill: str


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One daemon for all tests; ticks come every minute."""
    folder = tmp_path_factory.mktemp("daemon")
    today = day_of(datetime.now(UTC))
    missed = today - 5 * ONE_DAY
    environment = {
        "RAG_HOME": str(folder / "home"),
        "DAGSTER_HOME": str(folder / "dagster"),
        "RAG_EVALUATION__LIVE_CRON": "* * * * *",
        "RAG_EVALUATION__COSTS_CRON": "* * * * *",
        "RAG_EVALUATION__FIRST_DAY": str(today - 10 * ONE_DAY),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in environment.items():
            patch.setenv(name, value)
        platform = Platform.load()
        release(platform)
        ask(platform, today, "today-1", "today-2")
        ask(platform, today - ONE_DAY, "yesterday-1")
        ask(platform, missed, "missed-1", "missed-2", "missed-3")
        instance = open_instance(platform.settings)
        backfill = ask_for_backfill(instance, platform, missed)
        with running_daemon(DEFINITIONS, folder, environment) as daemon:
            yield Deployment(platform, instance, daemon, missed, backfill)
        instance.dispose()


def ask_for_backfill(instance: DagsterInstance, platform: Platform, day: date) -> str:
    """What the UI does when somebody backfills a day of the three assets."""
    backfill = PartitionBackfill.from_asset_partitions(
        backfill_id="missed",
        asset_graph=build_definitions(platform).resolve_asset_graph(),
        partition_names=[day.isoformat()],
        asset_selection=[
            dg.AssetKey(name) for name in ("query_log", "live_faithfulness", "query_costs")
        ],
        backfill_timestamp=datetime.now(UTC).timestamp(),
        tags={},
        dynamic_partitions_store=instance,
        all_partitions=False,
        title=None,
        description=None,
        run_config=None,
    )
    instance.add_backfill(backfill)
    return backfill.backfill_id


def finished_run(instance: DagsterInstance, **tags: str) -> DagsterRun | None:
    """A run with these tags that succeeded; one that failed ends the test."""
    found = instance.get_runs(RunsFilter(tags={f"dagster/{key}": tags[key] for key in tags}))
    assert not [run for run in found if run.status == DagsterRunStatus.FAILURE], found
    done = [run for run in found if run.status == DagsterRunStatus.SUCCESS]
    return done[0] if done else None


def test_scheduled_runs_happen_in_a_running_daemon(deployment: Deployment) -> None:
    platform, instance = deployment.platform, deployment.instance
    asked = deployment.missed + 5 * ONE_DAY  # midnight may have passed since
    for schedule, day in (
        ("hourly_live_faithfulness", asked),
        ("hourly_live_faithfulness", asked - ONE_DAY),
        ("daily_query_costs", asked - ONE_DAY),
    ):
        deployment.daemon.wait_for(
            partial(finished_run, instance, schedule_name=schedule, partition=str(day)),
            f"successful run of {schedule} for {day}",
        )
    database = platform.database
    days = store.query_days(database, asked - ONE_DAY, asked)
    assert days["queries"].to_list() == [1, 2]
    costs = store.costs(database, asked - ONE_DAY, asked - ONE_DAY)
    assert costs.select("answerer", "queries", "cost_usd").rows() == [("llm:tiny", 1, 0.5)]
    scores = store.live_scores(database, asked - ONE_DAY, asked - ONE_DAY)
    assert scores.select("metric", "mean", "coverage").rows() == [("ragline.support", 0.5, 1.0)]


def wait_for_backfill(deployment: Deployment) -> None:
    """Wait until the daemon has computed the missed day."""

    def done() -> bool | None:
        found = deployment.instance.get_backfill(deployment.backfill)
        assert found is not None
        assert found.status not in (BulkActionStatus.FAILED, BulkActionStatus.COMPLETED_FAILED)
        return found.status == BulkActionStatus.COMPLETED_SUCCESS or None

    deployment.daemon.wait_for(done, "end of the backfill")


def test_a_missed_day_is_backfilled_by_the_daemon(deployment: Deployment) -> None:
    wait_for_backfill(deployment)
    numbers = numbers_of(deployment.platform, deployment.missed)
    assert numbers["days"][0]["queries"] == 3
    assert [(row["queries"], row["cost_usd"]) for row in numbers["costs"]] == [(3, 1.5)]
    assert [(row["metric"], row["judged"]) for row in numbers["scores"]] == [("ragline.support", 3)]


def test_a_day_that_runs_again_has_the_same_numbers(deployment: Deployment) -> None:
    wait_for_backfill(deployment)
    platform, missed = deployment.platform, deployment.missed
    before = numbers_of(platform, missed)
    assert before["days"]
    for job in ("live", "costs"):
        done = (
            build_definitions(platform)
            .resolve_job_def(job)
            .execute_in_process(instance=deployment.instance, partition_key=str(missed))
        )
        assert done.success
    assert numbers_of(platform, missed) == before


def numbers_of(platform: Platform, day: date) -> dict[str, list[dict[str, Any]]]:
    """Everything that is known of a day."""
    return {
        "days": store.query_days(platform.database, day, day).to_dicts(),
        "costs": store.costs(platform.database, day, day).to_dicts(),
        "scores": store.live_scores(platform.database, day, day).to_dicts(),
    }
