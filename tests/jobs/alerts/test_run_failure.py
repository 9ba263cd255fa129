"""A real daemon tells of a run that failed, and of a release that was rejected, exactly once."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance
from dagster._core.scheduler.instigation import InstigatorState

from rag_assets.platform.platform import Platform
from rag_assets.releases.registry import Registry
from rag_jobs.ingest import ingest
from rag_jobs.instance import open_instance
from tests.jobs.alerts.receivers import HttpReceiver, http_receiver
from tests.jobs.daemon import Daemon, running_daemon

SECRET = "The vault opens with 4711."
SETTINGS = """
dagster_url = "https://dagster.example"
[sources.docs]
path = "documents"
acl = ["public"]
[gates]
max_quarantine_share = 0.1
[evaluation]
known_items = 0
[alerts]
deployment = "acme"
[orchestration]
sensor_seconds = 1
"""


@dataclass(frozen=True)
class Watched:
    """A deployment that a daemon watches."""

    folder: Path
    instance: DagsterInstance
    daemon: Daemon
    received: HttpReceiver

    def platform(self) -> Platform:
        return Platform.load()

    def cursor(self) -> str:
        """How far the sensor has looked; empty before its first tick."""
        states: list[InstigatorState] = list(self.instance.all_instigator_state())
        cursors = [
            getattr(state.instigator_data, "cursor", None)
            for state in states
            if state.instigator_name == "run_failure"
        ]
        return next((cursor for cursor in cursors if cursor), "")

    def wait_for_alerts(self, count: int) -> list[dict[str, object]]:
        """The alerts, once there are so many and the sensor has looked once more."""

        def enough() -> bool | None:
            return len(self.received.alerts) >= count or None

        self.daemon.wait_for(enough, f"{count} alerts")
        self.wait_for_tick()
        return self.received.alerts

    def wait_for_tick(self) -> None:
        """Wait until the sensor has looked at everything up to now."""
        now = time.time()

        def looked() -> bool | None:
            ticks = [
                getattr(state.instigator_data, "last_tick_start_timestamp", 0) or 0
                for state in self.instance.all_instigator_state()
                if state.instigator_name == "run_failure"
            ]
            return any(tick > now for tick in ticks) or None

        self.daemon.wait_for(looked, "tick")


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    (folder / "ragline.toml").write_text(SETTINGS)
    (folder / ".ragline").mkdir()
    model_cache.mkdir(parents=True, exist_ok=True)
    (folder / ".ragline" / "models").symlink_to(model_cache, target_is_directory=True)
    with http_receiver() as received, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        environment = {
            "RAG_CONFIG": str(folder / "ragline.toml"),
            "RAG_HOME": str(folder / ".ragline"),
            "DAGSTER_HOME": str(folder / ".ragline" / "dagster"),
            "RAG_ALERTS__WEBHOOK_URL": received.url,
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        instance = open_instance(Platform.load().settings)
        with running_daemon("tests.jobs.alerts.watched", folder, environment) as daemon:
            found = Watched(folder, instance, daemon, received)
            daemon.wait_for(lambda: found.cursor() or None, "first tick of the sensor")
            yield found
        instance.dispose()


def test_failures_are_told_once_and_a_rejection_with_its_gates(watched: Watched) -> None:
    run_failing_job(watched.instance)
    (alert,) = watched.wait_for_alerts(1)
    assert alert["kind"] == "run_failed"
    assert alert["deployment"] == "acme"
    assert alert["title"] == "'failing' of docs failed"
    assert alert["fields"]["partition"] == "docs"  # type: ignore[index]
    run_id = alert["fields"]["run"]  # type: ignore[index]
    assert alert["links"] == {"Run": f"https://dagster.example/runs/{run_id}"}
    # the kind of an error that was not written for people, and none of its words
    assert alert["text"] == "fails: ValueError; see the run for more."
    assert SECRET not in json.dumps(watched.received.alerts)

    # the same failure again is no news
    run_failing_job(watched.instance)
    watched.wait_for_tick()
    watched.wait_for_tick()
    assert len(watched.received.alerts) == 1

    documents = watched.folder / "documents"
    documents.mkdir()
    (documents / "good.md").write_text("# Lighthouse\n\nIt was built in 1801.")
    (documents / "broken.pdf").write_bytes(b"%PDF-1.7 no more than that")
    summary = ingest(watched.platform())
    assert "quarantine_share" in summary.failed["release"]
    rejected = watched.wait_for_alerts(2)[1]
    assert rejected["kind"] == "release_rejected"
    assert rejected["title"] == "Release 1 was rejected"
    release = Registry(watched.platform().database).get(1)
    assert release is not None
    assert rejected["fields"] == {
        "release": 1,
        "documents": 1,
        "chunks": 1,
        "gate quarantine_share": release.failed_gates["quarantine_share"],
    }
    assert rejected["links"] == {
        "Release": "https://dagster.example/assets/release",
        "Run": f"https://dagster.example/runs/{release.run_id}",
    }
    watched.wait_for_tick()
    assert len(watched.received.alerts) == 2


@dg.op
def fails() -> None:
    raise ValueError(SECRET)


@dg.job
def failing() -> None:
    fails()


def run_failing_job(instance: DagsterInstance) -> None:
    failing.execute_in_process(
        instance=instance, raise_on_error=False, tags={"dagster/partition": "docs"}
    )
