"""When the dashboard renews itself: after new data, once; and again when it failed."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster import DagsterInstance
from dagster._core.definitions.asset_daemon_cursor import AssetDaemonCursor

from evals.evaluation_dashboard.asset import renewal
from rag_assets.platform.settings import Settings
from rag_jobs.sensors import sensors


class World:
    """The graph around the dashboard, with data versions that a test chooses."""

    def __init__(self, instance: DagsterInstance) -> None:
        self.instance = instance
        self.versions = {"release": "1", "retrieval_evaluation": "1", "answer_evaluation": "1"}
        self.broken = False
        self.cursor: AssetDaemonCursor | None = None
        self.now = datetime(2026, 3, 14, 9, 1, tzinfo=UTC)
        upstream = [self._upstream(name) for name in self.versions]

        @dg.asset(deps=[*self.versions, "query_log"], automation_condition=renewal())
        def evaluation_dashboard() -> None:
            if self.broken:
                raise ValueError("as the test wants it")

        query_log = dg.AssetSpec("query_log")
        self.definitions = dg.Definitions([*upstream, query_log, evaluation_dashboard])

    def _upstream(self, name: str) -> dg.AssetsDefinition:
        @dg.asset(name=name)
        def asset() -> dg.MaterializeResult:
            return dg.MaterializeResult(data_version=dg.DataVersion(self.versions[name]))

        return asset

    def make(self, name: str, version: str = "") -> None:
        """Materialize an asset, with a new data version if one is given."""
        self.versions[name] = version or self.versions.get(name, "")
        job = self.definitions.resolve_implicit_global_asset_job_def()
        keys = [dg.AssetKey(name)]
        done = job.execute_in_process(
            instance=self.instance, asset_selection=keys, raise_on_error=False
        )
        assert done.success is not (self.broken and name == "evaluation_dashboard")

    def asks(self, minutes: int = 0) -> bool:
        """Whether the next tick asks for the dashboard; if it does, that run is made."""
        self.now += timedelta(minutes=minutes, seconds=30)
        result = dg.evaluate_automation_conditions(
            defs=self.definitions,
            instance=self.instance,
            cursor=self.cursor,
            evaluation_time=self.now,
        )
        self.cursor = result.cursor
        asked = result.total_requested > 0
        if asked:
            self.make("evaluation_dashboard")
        return asked


@pytest.fixture
def world() -> World:
    made = World(DagsterInstance.ephemeral())
    for name in made.versions:
        made.make(name)
    made.make("evaluation_dashboard")
    assert not made.asks()
    return made


@pytest.mark.parametrize("name", ["release", "retrieval_evaluation", "answer_evaluation"])
def test_it_is_renewed_once_after_new_data(world: World, name: str) -> None:
    world.make(name, "2")
    assert world.asks()
    assert not world.asks()
    assert not world.asks(minutes=60)


def test_the_same_data_is_no_reason(world: World) -> None:
    world.make("release")
    world.make("retrieval_evaluation")
    assert not world.asks()


def test_one_that_was_renewed_in_the_same_run_is_not_renewed_again(world: World) -> None:
    world.make("answer_evaluation", "2")
    world.make("evaluation_dashboard")
    assert not world.asks()


def test_one_that_failed_is_tried_again_with_time_between(world: World) -> None:
    world.broken = True
    world.make("release", "2")
    assert world.asks()
    assert not world.asks(), "not at every tick"
    assert world.asks(minutes=10)
    world.broken = False
    assert world.asks(minutes=10)
    assert not world.asks(minutes=10)


def test_its_sensor_runs_by_itself() -> None:
    settings = Settings()
    found = {item.name: item for item in sensors(settings)}
    assert found["automation"].default_status is dg.DefaultSensorStatus.RUNNING
    assert found["source_changes"].default_status is dg.DefaultSensorStatus.RUNNING
    assert found["source_changes"].minimum_interval_seconds == (
        settings.orchestration.sensor_seconds
    )
