"""Dagster's instance on a real PostgreSQL: runs, ticks, pools, and a server that is restarted."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickStatus

from rag_assets.releases.registry import Registry
from rag_jobs.pending import find_pending
from tests.jobs.instance.deployment import Deployment, Held, make_deployment
from tests.postgres import PostgresServer, create_database

SHARDS = ("docs--1of2", "docs--2of2")


@dataclass(frozen=True)
class Site:
    """A running deployment and its database server."""

    deployment: Deployment
    postgres: PostgresServer
    instance: DagsterInstance

    def wait_for_pool(self, held: Held) -> None:
        """Wait until one run is in the stage that is held, and the other waits for its pool."""

        def waiting() -> bool:
            info = self.instance.event_log_storage.get_concurrency_info("embed")
            return info.active_slot_count == 1 and info.pending_step_count == 1

        self.deployment.wait_for(waiting, "step that waits for the pool")
        self.deployment.wait_for(
            lambda: list(held.place.parent.glob("embeddings.*.reached")), "step in mid-work"
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        postgres = stack.enter_context(PostgresServer())
        deployment = make_deployment(
            tmp_path_factory.mktemp("site"),
            model_cache,
            shards=2,
            RAG_DATABASE_URL=create_database(postgres.url),
            RAG_ORCHESTRATION__DATABASE_URL=create_database(postgres.url),
        )
        instance = stack.enter_context(deployment.running())
        assert type(instance.run_storage).__name__ == "PostgresRunStorage"
        yield Site(deployment, postgres, instance)


def step_times(instance: DagsterInstance, run_id: str, step: str) -> tuple[float, float]:
    """When a step of a run began and ended."""
    (stats,) = instance.get_run_step_stats(run_id, [step])
    assert stats.start_time is not None
    assert stats.end_time is not None
    return stats.start_time, stats.end_time


def test_a_pool_of_one_lets_one_step_in_over_all_runs(site: Site) -> None:
    deployment, instance = site.deployment, site.instance
    held = deployment.hold("embeddings")
    runs = [deployment.launch("ingest", shard) for shard in SHARDS]
    site.wait_for_pool(held)
    assert len(list(held.place.parent.glob("embeddings.*.reached"))) == 1
    held.release()
    for run_id in runs:
        assert deployment.finished(instance, run_id).run_id == run_id
    first, second = sorted(step_times(instance, run_id, "embeddings") for run_id in runs)
    assert first[1] <= second[0]


def test_the_database_is_restarted_in_mid_run(site: Site) -> None:
    deployment, instance = site.deployment, site.instance
    text = "# elm\n\nThe elm by the quay fell in the storm of June.\n"
    for name in ("elm", "fir", "holly"):
        (deployment.folder / "documents" / f"{name}.md").write_text(text + name)
    held = deployment.hold("embeddings")
    runs = [deployment.launch("ingest", shard) for shard in SHARDS]
    # a run that is just writing an event fails, and is left to the sensor, which this site has not
    site.wait_for_pool(held)
    with deployment.entered() as platform:
        # a lock and a pooled connection of a process that lives through it
        with platform.lock("test", doing="waiting"):
            site.postgres.restart()
        with platform.lock("test", doing="waiting again"):
            assert platform.database.connect() is not None
    held.release()
    for run_id in runs:
        deployment.finished(instance, run_id)
    promoted = deployment.finished(instance, deployment.launch("promote"))
    assert promoted.status == DagsterRunStatus.SUCCESS
    with deployment.entered() as platform:
        pending = find_pending(platform)
        assert pending.nothing, pending
        live = Registry(platform.database).live()
        assert live is not None
        assert live.documents == 6
    deployment.wait_for(
        lambda: not instance.event_log_storage.get_concurrency_run_ids(), "slots that are free"
    )


def test_sensors_and_schedules_tick_before_and_after(site: Site) -> None:
    instance = site.instance

    def ticks(kind: InstigatorType) -> int:
        (state,) = instance.all_instigator_state(instigator_type=kind)
        found = instance.get_ticks(
            state.instigator_origin_id, state.selector_id, statuses=[TickStatus.SKIPPED]
        )
        return len(found)

    for kind in (InstigatorType.SENSOR, InstigatorType.SCHEDULE):
        before = ticks(kind) if instance.all_instigator_state(instigator_type=kind) else 0
        site.deployment.wait_for(
            lambda kind=kind, before=before: (
                bool(instance.all_instigator_state(instigator_type=kind)) and ticks(kind) > before
            ),
            f"tick of a {kind.value}",
        )
    (sensor,) = instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
    assert sensor.instigator_data is not None
    assert int(sensor.instigator_data.cursor) > 1
    runs = instance.get_runs()
    assert runs
    for run in runs:
        if run.status == DagsterRunStatus.SUCCESS:
            assert instance.all_logs(run.run_id, of_type=DagsterEventType.RUN_SUCCESS)
