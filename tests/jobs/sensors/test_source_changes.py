"""A tick of ``source_changes`` on real sources, tables, releases and a real Dagster instance."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.test_utils import create_run_for_test

from rag_assets.platform.dagster_bridge import PLATFORM, SOURCE_SHARDS
from rag_assets.platform.platform import Platform
from rag_jobs.assembly import build_definitions
from rag_jobs.instance import cli_tags, open_instance
from rag_jobs.pending import STAGES
from rag_jobs.sensors.source_changes import source_changes_sensor, tick
from tests.jobs.harness import RUNNERS, StageRun, build_index, run_stages, served

SHARDED = """
[sources.docs]
kind = "folder"
path = "documents"
acl = ["public"]
shards = 2
"""
MORE = """
[sources.more]
kind = "folder"
path = "more"
acl = ["public"]
"""


@pytest.fixture
def place(deploy: Any) -> Iterator[tuple[Platform, DagsterInstance, Path]]:
    """A deployment whose files are settled as soon as they are written."""
    folder: Path = deploy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAG_ORCHESTRATION__SETTLE_SECONDS", "0")
        platform = Platform.load()
        instance = open_instance(platform.settings)
        yield platform, instance, folder
        instance.dispose()


def write(folder: Path, name: str, text: str = "The boiler is checked in March.") -> Path:
    path = folder / "documents" / name
    path.write_text(f"# {name}\n\n{text}\n")
    return path


def look(platform: Platform, instance: DagsterInstance) -> tuple[list[dg.RunRequest], str]:
    """What a tick asks for, and why it asks for nothing; partitions are kept as a daemon does."""
    result = tick(platform.renewed(), instance)
    for request in result.dynamic_partitions_requests or ():
        if isinstance(request, dg.AddDynamicPartitionsRequest):
            instance.add_dynamic_partitions(
                request.partitions_def_name, list(request.partition_keys)
            )
        else:
            for key in request.partition_keys:
                instance.delete_dynamic_partition(request.partitions_def_name, key)
    reason = result.skip_reason
    return list(result.run_requests or ()), (reason.skip_message or "") if reason else ""


def partitions(instance: DagsterInstance) -> list[str]:
    assert SOURCE_SHARDS.name is not None
    return sorted(instance.get_dynamic_partitions(SOURCE_SHARDS.name))


def started(instance: DagsterInstance, request: dg.RunRequest, status: DagsterRunStatus) -> str:
    """The run that a daemon makes of a request."""
    tags = {**request.tags, "dagster/run_key": str(request.run_key)}
    if request.partition_key:
        tags["dagster/partition"] = request.partition_key
    assert request.job_name is not None
    run = create_run_for_test(instance, job_name=request.job_name, tags=tags)
    if status == DagsterRunStatus.FAILURE:
        instance.report_run_failed(run, "as the test wants it")
    elif status != DagsterRunStatus.NOT_STARTED:
        instance.handle_new_event(event(run.run_id, status))
    return run.run_id


def event(run_id: str, status: DagsterRunStatus) -> Any:
    from dagster._core.events import DagsterEvent, DagsterEventType
    from dagster._core.events.log import EventLogEntry

    kinds = {
        DagsterRunStatus.STARTED: DagsterEventType.PIPELINE_START,
        DagsterRunStatus.SUCCESS: DagsterEventType.PIPELINE_SUCCESS,
        DagsterRunStatus.CANCELED: DagsterEventType.PIPELINE_CANCELED,
    }
    kind = kinds[status]
    return EventLogEntry(
        error_info=None,
        level="debug",
        user_message="",
        run_id=run_id,
        timestamp=time.time(),
        job_name="refresh",
        dagster_event=DagsterEvent(kind.value, "refresh", message=""),
    )


def test_from_a_new_file_to_nothing_to_do(place: Any) -> None:
    platform, instance, folder = place
    write(folder, "a.md")
    (request,), _ = look(platform, instance)
    assert (request.job_name, request.partition_key) == ("refresh", "docs")
    assert request.tags["ragline/why"] == "1 added"
    assert partitions(instance) == ["docs"]
    run = started(instance, request, DagsterRunStatus.STARTED)
    assert look(platform, instance) == ([], f"run {run} is releasing the index")
    run_stages(platform)
    instance.handle_new_event(event(run, DagsterRunStatus.SUCCESS))
    assert look(platform, instance) == ([], "nothing has changed in 1 shard (1 document)")


def test_a_run_key_follows_the_content_and_only_that(place: Any) -> None:
    platform, instance, folder = place
    path = write(folder, "a.md")
    (first,), _ = look(platform, instance)
    (again,), _ = look(platform, instance)
    assert first.run_key == again.run_key
    path.write_text("something else")
    (other,), _ = look(platform, instance)
    assert other.run_key != first.run_key


def test_what_failed_comes_again_with_back_off(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    platform, instance, folder = place
    write(folder, "a.md")
    (request,), _ = look(platform, instance)
    for status in (DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED):
        started(instance, request, status)
        requests, reason = look(platform, instance)
        assert requests == []
        assert "'docs' is tried again at" in reason
        later = time.time() + 121
        with monkeypatch.context() as patch:
            patch.setattr("rag_jobs.sensors.source_changes.time.time", lambda later=later: later)
            (after,), _ = look(platform, instance)
        assert after.run_key != request.run_key
        request = after
    assert request.tags["ragline/attempt"] == "2"
    assert "2 failed runs" in look(platform, instance)[1]
    write(folder, "b.md")
    (changed,), _ = look(platform, instance)
    assert changed.tags["ragline/attempt"] == "0", "what has changed since is something else"


def test_every_shard_has_its_own_run(deploy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAG_ORCHESTRATION__SETTLE_SECONDS", "0")
    folder = deploy(SHARDED)
    platform = Platform.load()
    for number in range(12):
        write(folder, f"{number}.md")
    with open_instance(platform.settings) as instance:
        requests, _ = look(platform, instance)
        assert [item.job_name for item in requests] == ["ingest", "ingest"]
        assert partitions(instance) == ["docs--1of2", "docs--2of2"]
        run = started(instance, requests[0], DagsterRunStatus.NOT_STARTED)
        (second,), _ = look(platform, instance)
        assert second.partition_key == "docs--2of2"
        started(instance, second, DagsterRunStatus.NOT_STARTED)
        assert f"run {run} is at work on 'docs--1of2'" in look(platform, instance)[1]


def test_a_file_that_is_being_written_waits_for_nobody_else(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, instance, folder = place
    monkeypatch.setenv("RAG_ORCHESTRATION__SETTLE_SECONDS", "600")
    write(folder, "a.md")
    assert look(platform, instance) == ([], "1 file may still be being written")
    old = time.time() - 3600
    os.utime(folder / "documents" / "a.md", (old, old))
    assert look(platform, instance)[0] == [], "its change time says when it was copied"
    monkeypatch.setenv("RAG_ORCHESTRATION__SETTLE_SECONDS", "0")
    (request,), _ = look(platform, instance)
    assert request.tags["ragline/settle_seconds"] == "0.0"


def test_a_source_that_cannot_be_listed_is_named_and_stops_no_other(place: Any) -> None:
    platform, instance, folder = place
    write(folder, "a.md")
    configuration = folder / "ragline.toml"
    configuration.write_text(configuration.read_text() + MORE)
    (request,), _ = look(platform, instance)
    assert request.partition_key == "docs"
    started(instance, request, DagsterRunStatus.STARTED)
    reason = look(platform, instance)[1]
    assert "the source 'more' cannot be listed: The folder" in reason
    assert "does not exist" in reason


def test_new_sources_appear_and_former_ones_go_by_themselves(place: Any) -> None:
    platform, instance, folder = place
    write(folder, "a.md")
    configuration = folder / "ragline.toml"
    only = configuration.read_text()
    (folder / "more").mkdir()
    (folder / "more" / "extra.md").write_text("# Extra\n\nA document of another source.")
    look(platform, instance)
    configuration.write_text(only + MORE)
    requests, _ = look(platform, instance)
    assert [item.partition_key for item in requests] == ["docs", "more"]
    assert partitions(instance) == ["docs", "more"]
    run_stages(platform.renewed())
    configuration.write_text(only)
    (request,), _ = look(platform, instance)
    assert (request.job_name, request.partition_key) == ("ingest", "more")
    assert request.tags["ragline/why"] == "1 deleted, no longer configured"
    assert partitions(instance) == ["docs", "more"]
    # the run empties it; the tick after it drops it, and the one after that releases what is left
    run = StageRun(platform.renewed(), "more", "emptying")
    for stage in STAGES:
        RUNNERS[stage](run)
    requests, _ = look(platform, instance)
    assert [item.job_name for item in requests] in ([], ["promote"])
    assert partitions(instance) == ["docs"]
    assert platform.tables.partitions("raw_documents") == ["docs"]
    assert platform.tables.partitions("vector_index") == ["docs"]
    (promote,), _ = look(platform, instance)
    assert (promote.job_name, promote.partition_key) == ("promote", None)
    run_stages(platform.renewed())
    assert served(platform)["document_id"].unique().to_list() == ["docs/a.md"]
    assert look(platform, instance) == ([], "nothing has changed in 1 shard (1 document)")


def test_an_index_that_nobody_released_is_released(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, instance, folder = place
    write(folder, "a.md")
    build_index(platform)
    (request,), _ = look(platform, instance)
    assert (request.job_name, request.partition_key) == ("promote", None)
    assert request.tags["ragline/why"] == "there is no release yet"
    run = started(instance, request, DagsterRunStatus.STARTED)
    assert look(platform, instance) == ([], f"run {run} is releasing the index")
    instance.report_run_failed(instance.get_run_by_id(run), "damaged")
    assert "the release is tried again at" in look(platform, instance)[1]
    later = time.time() + 61
    monkeypatch.setattr("rag_jobs.sensors.source_changes.time.time", lambda: later)
    (again,), _ = look(platform, instance)
    assert again.run_key != request.run_key


HOLD = """
import sys, time
from rag_assets.platform.platform import Platform
with Platform.load().lock("ingest", doing="ragline ingest"):
    print("held", flush=True)
    time.sleep(600)
"""


@contextmanager
def another_process(code: str, word: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=folder, env=environment
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == word
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]


def test_an_ingest_by_hand_goes_first_and_one_that_was_killed_blocks_nothing(place: Any) -> None:
    platform, instance, folder = place
    write(folder, "a.md")
    with another_process(HOLD, "held", folder) as process:
        orphan = create_run_for_test(
            instance,
            job_name="ingest",
            tags={**cli_tags(), "dagster/partition": "docs"},
            status=DagsterRunStatus.STARTED,
        )
        requests, reason = look(platform, instance)
        assert requests == []
        assert f"run {orphan.run_id} is at work on 'docs'" in reason
        instance.delete_run(orphan.run_id)
        requests, reason = look(platform, instance)
        assert requests == []
        assert f"process {process.pid}, ragline ingest" in reason
        orphan = create_run_for_test(
            instance,
            job_name="ingest",
            tags={**cli_tags(), "dagster/partition": "docs"},
            status=DagsterRunStatus.STARTED,
        )
    (request,), _ = look(platform, instance)
    assert request.partition_key == "docs"
    closed = instance.get_run_by_id(orphan.run_id)
    assert closed is not None
    assert closed.status == DagsterRunStatus.FAILURE


def test_a_backfill_of_shards_is_left_alone(place: Any) -> None:
    platform, instance, folder = place
    write(folder, "a.md")
    look(platform, instance)
    backfill = PartitionBackfill.from_asset_partitions(
        backfill_id="by-hand",
        asset_graph=build_definitions(platform).resolve_asset_graph(),
        partition_names=["docs"],
        asset_selection=[dg.AssetKey("raw_documents")],
        backfill_timestamp=time.time(),
        tags={},
        dynamic_partitions_store=instance,
        all_partitions=False,
        title=None,
        description=None,
        run_config=None,
    )
    instance.add_backfill(backfill)
    assert look(platform, instance) == ([], "the backfill by-hand is at work on shards")
    instance.update_backfill(backfill.with_status(BulkActionStatus.COMPLETED_SUCCESS))
    assert len(look(platform, instance)[0]) == 1


def test_a_configuration_that_cannot_be_used_is_a_reason(place: Any) -> None:
    platform, instance, folder = place
    configuration = folder / "ragline.toml"
    good = configuration.read_text()
    sensor = source_changes_sensor(platform.settings)

    def reason() -> str:
        context = dg.build_sensor_context(
            instance=instance, resources={PLATFORM: platform}, sensor_name="source_changes"
        )
        found = sensor(context)
        if isinstance(found, dg.SkipReason):
            return found.skip_message or ""
        assert isinstance(found, dg.SensorResult)
        return (found.skip_reason and found.skip_reason.skip_message) or ""

    configuration.write_text(good + "[sources.docs\n")
    assert "ragline.toml" in reason()
    configuration.write_text("")
    assert "No source of documents is configured." in reason()
    configuration.write_text(good)
    assert reason() == "", "and then it goes on"
