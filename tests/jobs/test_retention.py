"""Old runs and events go, with their space; what is known of assets and releases stays as it was."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster import DagsterInstance, RunsFilter
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, TickStatus
from dagster._core.scheduler.instigation import TickData as Tick

from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import OrchestrationSettings, Settings
from rag_assets.releases.registry import Registry
from rag_jobs.instance import open_instance
from rag_jobs.instance.configuration import DATABASE_VARIABLE
from rag_jobs.retention import expire_records
from tests.postgres import create_database

SHARDS = dg.DynamicPartitionsDefinition(name="shards_of_a_test")
KEEP = timedelta(days=30)
QUIET: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Shard(dg.Config):
    """How a shard is made."""

    fail: bool = False
    version: str = "1"


@dg.asset(partitions_def=SHARDS, check_specs=[dg.AssetCheckSpec("sound", asset="shard")])
def shard(context: dg.AssetExecutionContext, config: Shard) -> dg.MaterializeResult:
    """An asset of many parts."""
    if config.fail:
        raise ValueError("it cannot be made")
    return dg.MaterializeResult(
        data_version=dg.DataVersion(config.version),
        metadata={"run": context.run_id, "padding": "x" * 20_000},
        check_results=[dg.AssetCheckResult(passed=config.version != "bad")],
    )


@dg.asset
def single() -> dg.MaterializeResult:
    """An asset of one part."""
    return dg.MaterializeResult(metadata={"padding": "x" * 20_000})


@dg.asset
def reported() -> None:
    """An asset that people report on."""


DEFINITIONS = dg.Definitions(
    assets=[shard, single, reported],
    jobs=[dg.define_asset_job("shards", [shard]), dg.define_asset_job("singles", [single])],
    executor=dg.in_process_executor,
)


@pytest.fixture(params=["sqlite", "postgres"])
def platform(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Platform:
    url = ""
    if request.param == "postgres":
        url = create_database(request.getfixturevalue("postgres_url"))
    # both are set for children of this process, and must not outlive the test
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    monkeypatch.setenv(DATABASE_VARIABLE, url)
    section = OrchestrationSettings.model_validate(
        {"database_url": url, "keep_events_days": KEEP.days}
    )
    return Platform(Settings(home=str(tmp_path / "home"), orchestration=section))


@pytest.fixture
def instance(platform: Platform) -> Iterator[DagsterInstance]:
    with open_instance(platform.settings) as found:
        yield found


def make(instance: DagsterInstance, key: str, **config: Any) -> str:
    """Make a shard in a run of its own; the run's id."""
    done = DEFINITIONS.resolve_job_def("shards").execute_in_process(
        instance=instance,
        partition_key=key,
        raise_on_error=False,
        run_config={"ops": {"shard": {"config": config}}, **QUIET},
    )
    return done.run_id


def make_single(instance: DagsterInstance) -> str:
    return (
        DEFINITIONS.resolve_job_def("singles")
        .execute_in_process(instance=instance, run_config=QUIET)
        .run_id
    )


def state(instance: DagsterInstance) -> dict[str, Any]:
    """All that Dagster says of the assets."""
    storage, key = instance.event_log_storage, dg.AssetKey("shard")
    check = dg.AssetCheckKey(key, "sound")
    known: dict[str, Any] = {"status": instance.get_status_by_partition(key, list("abcd"), SHARDS)}
    for part in "abcd":
        record = instance.get_latest_data_version_record(key, partition_key=part)
        known[part] = record and (record.run_id, record.storage_id)
    known["checks"] = storage.get_asset_check_partition_info([check])
    known["last check"] = storage.get_latest_asset_check_execution_by_key([check])
    for name in ("shard", "single", "reported"):
        event = instance.get_latest_materialization_event(dg.AssetKey(name))
        known[name] = event and (event.run_id, event.timestamp)
    return known


def runs(instance: DagsterInstance) -> set[str]:
    return {run.run_id for run in instance.get_runs()}


def rows(instance: DagsterInstance) -> dict[str, int]:
    """How many rows Dagster's tables have, in every database."""
    from rag_jobs.retention.space import _engines

    counts: dict[str, int] = {}
    for engine in _engines(instance):
        metadata = sa.MetaData()
        metadata.reflect(engine)
        with engine.connect() as connection:
            for table in metadata.sorted_tables:
                query = sa.select(sa.func.count()).select_from(table)
                counts[table.name] = connection.execute(query).scalar_one()
    return counts


def report(instance: DagsterInstance, note: str) -> None:
    """What a person does who reports a materialization in the UI."""
    instance.report_runless_asset_event(dg.AssetMaterialization("reported", metadata={"n": note}))


def tick(instance: DagsterInstance, sensor: InstigatorState) -> None:
    instance.create_tick(
        Tick(
            instigator_origin_id=sensor.instigator_origin_id,
            instigator_name="sensor",
            instigator_type=InstigatorType.SENSOR,
            status=TickStatus.SKIPPED,
            timestamp=datetime.now(UTC).timestamp(),
            selector_id=sensor.selector_id,
        )
    )


def test_old_runs_go_and_what_is_known_stays(platform: Platform, instance: DagsterInstance) -> None:
    instance.add_dynamic_partitions("shards_of_a_test", list("abcd"))
    first_a, first_single = make(instance, "a"), make_single(instance)
    for _ in range(3):
        make(instance, "a", version="2")
    bad_b = make(instance, "b", version="bad")
    good_c, failed_c = make(instance, "c"), make(instance, "c", fail=True)
    released, removed = make(instance, "d"), make(instance, "d")
    last_d = make(instance, "d")
    record_release(platform, released)
    Registry(platform.database).promote(1, {})
    record_release(platform, removed)
    Registry(platform.database).reject(2, "no good", {})
    Registry(platform.database).mark_removed(2, "old")
    report(instance, "first")
    report(instance, "second")
    sensor = sensor_state()
    instance.add_instigator_state(sensor)
    tick(instance, sensor)
    limit = datetime.now(UTC)
    last_a, last_single = make(instance, "a", version="3"), make_single(instance)
    tick(instance, sensor)
    before, rows_before = state(instance), rows(instance)
    told: list[tuple[int, int]] = []

    done = expire_records(platform, instance, limit + KEEP, lambda *step: told.append(step))

    assert state(instance) == before
    kept = {bad_b, good_c, failed_c, released, last_d, last_a, last_single}
    assert runs(instance) == kept
    assert not runs(instance) & {first_a, first_single, removed}
    # a's first and its three second versions, the first single, the release that is gone
    assert (done.runs, done.kept) == (6, 5)
    assert told[-1] == (6, 6)
    assert len(instance.get_ticks(sensor.instigator_origin_id, sensor.selector_id)) == 1
    assert before["reported"][0] == ""
    after = rows(instance)
    assert after["event_logs"] < rows_before["event_logs"] * 0.7
    assert after["run_tags"] < rows_before["run_tags"]
    assert after["asset_check_executions"] == 6
    assert names_of_gone_runs(instance, kept) == set()

    assert expire_records(platform, instance, limit + KEEP).runs == 0
    # what comes next is still newer than everything before
    again = make(instance, "a", version="4")
    record = instance.get_latest_data_version_record(dg.AssetKey("shard"), partition_key="a")
    assert record is not None
    assert record.run_id == again
    assert record.storage_id > before["a"][1]


def record_release(platform: Platform, run_id: str) -> None:
    Registry(platform.database).add_candidate(
        table_name="chunks_1",
        lance_version=1,
        fingerprints={},
        partitions={},
        documents=1,
        chunks=1,
        manifest_sha256="",
        run_id=run_id,
    )


def sensor_state() -> InstigatorState:
    from dagster._core.remote_origin import (
        ManagedGrpcPythonEnvCodeLocationOrigin,
        RemoteInstigatorOrigin,
        RemoteRepositoryOrigin,
    )
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

    location = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name="x"), "x")
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "x"), "sensor")
    return InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING)


def names_of_gone_runs(instance: DagsterInstance, kept: set[str]) -> set[str]:
    """The ids of runs in the names of files under DAGSTER_HOME, without those that are kept."""
    root = Path(instance.root_directory)
    names = {path.name.partition(".")[0] for path in root.rglob("*")}
    return {name for name in names if len(name) == 36} - kept


def test_space_is_given_back(platform: Platform, instance: DagsterInstance) -> None:
    instance.add_dynamic_partitions("shards_of_a_test", ["a"])
    for _ in range(6):
        make_single(instance)
    limit = datetime.now(UTC)
    make_single(instance)
    done = expire_records(platform, instance, limit + KEEP)
    assert done.runs == 6
    if instance.event_log_storage.is_run_sharded:  # SQLite
        assert done.bytes > 6 * 50_000
    else:  # a PostgreSQL keeps the space for what comes next
        assert done.bytes >= 0


def test_runs_that_are_not_old_enough_stay(platform: Platform, instance: DagsterInstance) -> None:
    for _ in range(2):
        make_single(instance)
    done = expire_records(platform, instance, datetime.now(UTC) + KEEP - timedelta(hours=1))
    assert (done.runs, done.kept) == (0, 0)
    assert len(runs(instance)) == 2
    assert instance.get_runs_count(RunsFilter()) == 2
