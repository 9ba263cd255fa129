"""Backfills from the UI: 16 shards after a change of the splitter, and days that were missed.

A real webserver, a real daemon, a process for every run; one shard cannot be read at first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, RunsFilter

from evals.live import store
from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.raw_documents.sources import partition_keys, shard_of
from rag_assets.releases.registry import Registry
from rag_jobs.ingest import ingest
from rag_jobs.instance import open_instance
from rag_jobs.pending import find_pending
from tests.jobs.backfills.queries import Backfills
from tests.jobs.daemon import Daemon, running_daemon
from tests.jobs.test_schedules import ask
from tests.jobs.webserver import running_webserver

# twenty processes, on a machine that may have other work
pytestmark = pytest.mark.timeout(3000)

SERVED = "tests.jobs.backfills.served"
SHARDS = 16
AT_ONCE = 2
SPLITTING = ["chunks", "embeddings", "vector_index"]
DAILY = ["query_log", "live_faithfulness", "query_costs"]
FIRST_DAY = date(2026, 3, 1)
SETTINGS = """
[sources.docs]
path = "documents"
acl = ["public"]
shards = 16
[chunking]
max_tokens = {max_tokens}
[evaluation]
known_items = 0
first_day = "2026-03-01"
[orchestration]
sensor_seconds = 2
max_concurrent_runs = 2
"""


@dataclass(frozen=True)
class Deployment:
    """Everything that runs."""

    platform: Platform
    instance: DagsterInstance
    daemon: Daemon
    backfills: Backfills
    damaged: str
    table: Path
    sound: bytes


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("backfills")
    write_documents(folder / "documents")
    models = folder / ".ragline" / "models"
    models.parent.mkdir()
    model_cache.mkdir(parents=True, exist_ok=True)
    models.symlink_to(model_cache, target_is_directory=True)
    environment = {
        "RAG_CONFIG": str(folder / "ragline.toml"),
        "RAG_HOME": str(folder / ".ragline"),
        "DAGSTER_HOME": str(folder / ".ragline" / "dagster"),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in environment.items():
            patch.setenv(name, value)
        (folder / "ragline.toml").write_text(SETTINGS.format(max_tokens=200))
        before = ingest(Platform.load())
        assert before.ok, before.failed
        (folder / "ragline.toml").write_text(SETTINGS.format(max_tokens=32))
        platform = Platform.load()
        for number in range(3):
            day = FIRST_DAY + timedelta(days=number)
            ask(platform, day, *(f"{day}-{index}" for index in range(number + 1)))
        damaged = partition_keys(platform.settings)[7]
        path = platform.storage.path(platform.tables.key("parsed_documents", damaged))
        assert path is not None
        sound = path.read_bytes()
        # its rows cannot be read; its stamp, at the end of the file, can
        path.write_bytes(sound[:4] + bytes(reversed(sound[4:600])) + sound[600:])
        instance = open_instance(platform.settings)
        with running_webserver(SERVED, folder, environment) as server:
            backfills = Backfills(server)
            # a person does what it would do by itself
            backfills.stop_sensor("source_changes")
            with running_daemon(SERVED, folder, environment) as daemon:
                yield Deployment(platform, instance, daemon, backfills, damaged, path, sound)
        instance.dispose()


def write_documents(folder: Path) -> None:
    """Two documents for every shard, and one passage to ask for."""
    folder.mkdir()
    wanted = dict.fromkeys(range(SHARDS), 2)
    number = 0
    while any(wanted.values()):
        name, number = f"lighthouse{number}.md", number + 1
        shard = shard_of(f"docs/{name}", SHARDS)
        if wanted[shard]:
            wanted[shard] -= 1
            text = f"Lighthouse {number} was built in {1800 + number} by its crew. " * 12
            (folder / name).write_text(f"# Lighthouse {number}\n\n{text}")


def test_sixteen_shards_of_which_one_fails_then_one_release(deployment: Deployment) -> None:
    backfills, daemon = deployment.backfills, deployment.daemon
    shards = partition_keys(deployment.platform.settings)
    assert len(shards) == SHARDS
    assert [shard.partition for shard in find_pending(deployment.platform).work] == shards

    started = backfills.launch(SPLITTING, shards)
    status = daemon.wait_for(lambda: backfills.ended(started), "end of the backfill", 2400)
    assert status["status"] == "COMPLETED_FAILED"
    counts = backfills.counts(status)
    whole = {"targeted": 16, "materialized": 15, "failed": 1, "running": 0}
    assert counts == dict.fromkeys(SPLITTING, whole)
    assert failed_shards(status) == [deployment.damaged]
    assert backfills.partitions("chunks")["failedPartitions"] == [deployment.damaged]
    assert at_the_same_time(deployment.instance, started) <= AT_ONCE
    # the last release keeps serving, with all its shards
    assert QueryEngine(deployment.platform).search("Lighthouse built in 1801?", Caller())

    deployment.table.write_bytes(deployment.sound)
    retried = backfills.retry(started)
    status = daemon.wait_for(lambda: backfills.ended(retried), "end of the retry", 600)
    assert status["status"] == "COMPLETED_SUCCESS"
    assert {item["targeted"] for item in backfills.counts(status).values()} == {1}
    assert backfills.partitions("chunks")["failedPartitions"] == []
    assert not find_pending(deployment.platform).work


def failed_shards(status: dict[str, Any]) -> list[str]:
    """The partitions of the runs that failed."""
    return [
        tag["value"]
        for run in status["runs"]
        if run["status"] == "FAILURE"
        for tag in run["tags"]
        if tag["key"] == "dagster/partition"
    ]


def at_the_same_time(instance: DagsterInstance, backfill_id: str) -> int:
    """The most runs of a backfill that were at work at one moment."""
    records = instance.get_run_records(RunsFilter(tags={"dagster/backfill": backfill_id}))
    assert len(records) == SHARDS
    spans = [(record.start_time, record.end_time) for record in records]
    assert all(start and end for start, end in spans)
    return max(sum(s <= start < e for s, e in spans if s and e) for start, _ in spans if start)


def test_it_is_released_once(deployment: Deployment) -> None:
    registry = Registry(deployment.platform.database)
    assert [item.id for item in registry.all()] == [1]
    deployment.backfills.start_sensor("source_changes")

    def released() -> bool | None:
        live = registry.live()
        return (live is not None and live.id > 1) or None

    deployment.daemon.wait_for(released, "release", 600)
    assert [(item.id, item.status) for item in registry.all()] == [(2, "live"), (1, "retired")]
    live = registry.live()
    assert live is not None
    assert live.chunks > 2 * SHARDS
    hits = QueryEngine(deployment.platform).search("Lighthouse built in 1801?", Caller())
    assert len(hits) > 1


def test_a_range_of_days_is_backfilled(deployment: Deployment) -> None:
    days = [FIRST_DAY + timedelta(days=number) for number in range(3)]
    started = deployment.backfills.launch(DAILY, [str(day) for day in days])
    status = deployment.daemon.wait_for(
        lambda: deployment.backfills.ended(started), "end of the days", 600
    )
    assert status["status"] == "COMPLETED_SUCCESS"
    found = store.query_days(deployment.platform.database, days[0], days[-1])
    assert found["queries"].to_list() == [1, 2, 3]
    costs = store.costs(deployment.platform.database, days[0], days[-1])
    assert costs["cost_usd"].to_list() == [0.5, 1.0, 1.5]
    assert deployment.backfills.partitions("query_costs") == {
        "ranges": [{"startKey": str(days[0]), "endKey": str(days[-1]), "status": "MATERIALIZED"}]
    }
