"""Sources that change while webserver and daemon run: nobody gives a command, all reach the release.

One deployment with Dagster on SQLite goes through everything; one on PostgreSQL shows that it works
there too. Every run is a process of its own.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetKey, DagsterInstance, DagsterRunStatus, RunsFilter
from polars.testing import assert_frame_equal

from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.releases.registry import Registry
from rag_jobs.instance import open_instance
from rag_jobs.pending import find_pending
from rag_jobs.status import status_of
from tests.jobs.daemon import Daemon, running_daemon
from tests.jobs.harness import rebuilt, served
from tests.jobs.webserver import Webserver, running_webserver
from tests.postgres import create_database

# a dozen processes, on a machine that may have other work
pytestmark = pytest.mark.timeout(1800)

DEFINITIONS = "rag_jobs.definitions"
SENSOR = "source_changes"
WAIT_SECONDS = 900
MANY = 1_000
SETTINGS = """
[sources.docs]
kind = "folder"
path = "documents"
acl = ["public"]
[evaluation]
known_items = 0
[gates]
max_quarantine_share = 1.0
[orchestration]
sensor_seconds = 2
monitor_seconds = 2
retry_seconds = 5
"""
SHOWN = """
{
  sensorsOrError(repositorySelector: {
    repositoryName: "__repository__", repositoryLocationName: "rag_jobs.definitions"
  }) { ... on Sensors { results { name sensorState { status ticks(limit: 1) { status } } } } }
  runsOrError(filter: {tags: [{key: "dagster/sensor_name", value: "source_changes"}]}) {
    ... on Runs { results { runId status jobName } }
  }
  assetNodeOrError(assetKey: {path: ["release"]}) {
    ... on AssetNode {
      assetMaterializations(limit: 1) {
        metadataEntries { label ... on IntMetadataEntry { intValue } }
      }
    }
  }
}
"""


@dataclass
class Place:
    """A deployment that looks after itself.

    Attributes:
        daemon: the one that runs.
        webserver: what a person looks at.
    """

    folder: Path
    platform: Platform
    instance: DagsterInstance
    environment: dict[str, str]
    daemon: Daemon
    webserver: Webserver
    looked_at: int = 0

    def write(self, name: str, text: str) -> None:
        (self.folder / "documents" / name).write_text(text)

    def wait_for(self, look: Callable[[], Any], what: str) -> Any:
        return self.daemon.wait_for(look, what, WAIT_SECONDS)

    def answer(self, question: str, cited: str) -> str | None:
        """The answer, once it cites a document; every release is asked once, as by a new caller."""
        live = Registry(self.platform.database).live()
        if live is None or live.id == self.looked_at:
            return None
        self.looked_at = live.id
        found = QueryEngine(self.platform).ask(question, Caller())
        documents = [citation.document_id for citation in found.citations]
        return found.answer if cited in documents else None

    def serves(self, documents: int) -> bool | None:
        """Whether the live release holds so many documents."""
        live = Registry(self.platform.database).live()
        return (live is not None and live.documents == documents) or None

    def rest(self) -> bool | None:
        """Whether nothing is at work, and nothing pending; the sources are listed for the latter."""
        return (not unfinished(self.instance) and find_pending(self.platform).nothing) or None

    def states(self) -> dict[str, int]:
        counts: dict[str, int] = status_of(self.platform)["documents"]
        return counts


def unfinished(instance: DagsterInstance) -> list[str]:
    ended = {DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED}
    statuses = [status for status in DagsterRunStatus if status not in ended]
    return [run.run_id for run in instance.get_runs(RunsFilter(statuses=statuses))]


def requested(instance: DagsterInstance) -> list[str]:
    """The runs that the sensor has asked for."""
    tags = {"dagster/sensor_name": SENSOR}
    return [run.run_id for run in instance.get_runs(RunsFilter(tags=tags))]


def total(instance: DagsterInstance, asset: str, fact: str, since: float) -> int:
    """What all materializations of an asset since a moment say of a number, added up."""
    records = instance.fetch_materializations(AssetKey(asset), limit=200, ascending=False).records
    found = 0
    for record in records:
        materialization = record.asset_materialization
        if record.timestamp >= since and materialization is not None:
            found += int(str(materialization.metadata[fact].value))
    return found


@contextmanager
def deployment(folder: Path, model_cache: Path, **more: str) -> Iterator[Place]:
    """A folder with a document, and everything that runs."""
    (folder / "documents").mkdir()
    (folder / "ragline.toml").write_text(SETTINGS)
    models = folder / ".ragline" / "models"
    models.parent.mkdir()
    model_cache.mkdir(parents=True, exist_ok=True)
    models.symlink_to(model_cache, target_is_directory=True)
    environment = {
        "RAG_CONFIG": str(folder / "ragline.toml"),
        "RAG_HOME": str(folder / ".ragline"),
        "DAGSTER_HOME": str(folder / ".ragline" / "dagster"),
        **more,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in environment.items():
            patch.setenv(name, value)
        platform = Platform.load()
        instance = open_instance(platform.settings)
        with (
            running_webserver(DEFINITIONS, folder, environment) as webserver,
            running_daemon(DEFINITIONS, folder, environment) as daemon,
        ):
            place = Place(folder, platform, instance, environment, daemon, webserver)
            place.write("boiler.md", "# Boiler\n\nThe boiler is checked by the caretaker in March.")
            yield place
        instance.dispose()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Place]:
    with deployment(tmp_path_factory.mktemp("source_changes"), model_cache) as found:
        yield found


def check_shown(place: Place) -> None:
    """The UI shows the runs of the sensor as they are, and the release that they made."""
    data = place.webserver.ask(SHOWN)
    (sensor,) = [item for item in data["sensorsOrError"]["results"] if item["name"] == SENSOR]
    assert sensor["sensorState"]["status"] == "RUNNING"
    assert sensor["sensorState"]["ticks"], "it has looked"
    runs = data["runsOrError"]["results"]
    assert {run["runId"] for run in runs} == set(requested(place.instance))
    assert {run["status"] for run in runs} == {"SUCCESS"}
    assert {run["jobName"] for run in runs} == {"refresh"}
    (made,) = data["assetNodeOrError"]["assetMaterializations"]
    numbers = {item["label"]: item.get("intValue") for item in made["metadataEntries"]}
    live = Registry(place.platform.database).live()
    assert live is not None
    assert numbers["release"] == live.id


def test_a_dropped_file_is_answered_from_with_a_citation(place: Place) -> None:
    place.wait_for(lambda: place.answer("Who checks the boiler?", "docs/boiler.md"), "first answer")
    place.write("parrot.md", "# Parrot\n\nThe parrot of the lighthouse sings at dawn.")
    answer = place.wait_for(
        lambda: place.answer("When does the parrot sing?", "docs/parrot.md"), "citation of it"
    )
    assert "dawn" in answer
    place.wait_for(place.rest, "rest")
    assert len(requested(place.instance)) == 2, "one run for each of the two changes"
    check_shown(place)


def test_edit_rename_delete_and_a_broken_file_arrive(place: Place) -> None:
    documents = place.folder / "documents"
    for name in ("edited", "renamed", "deleted"):
        place.write(f"{name}.md", f"# {name}\n\nThe {name} lamp is green.")
    place.wait_for(lambda: place.serves(5), "five documents")
    place.wait_for(place.rest, "rest")
    (documents / "edited.md").write_text("# edited\n\nThe edited lamp is violet.")
    (documents / "renamed.md").rename(documents / "moved.md")
    (documents / "deleted.md").unlink()
    (documents / "broken.docx").write_bytes(b"PK\x03\x04 this is not an archive")

    def arrived() -> bool | None:
        if place.rest() is None:
            return None
        now = served(place.platform)
        return "docs/moved.md" in now["document_id"].to_list() or None

    place.wait_for(arrived, "release with all of it")
    now = served(place.platform)
    assert sorted(now["document_id"].unique()) == [
        "docs/boiler.md", "docs/edited.md", "docs/moved.md", "docs/parrot.md",
    ]  # fmt: skip
    assert any("violet" in text for text in now["text"])
    status = status_of(place.platform)
    assert [item["document_id"] for item in status["quarantine"]] == ["docs/broken.docx"]
    assert place.states() == {
        "indexed": 4, "empty": 0, "quarantined": 1, "pending": 0, "total": 5,
    }  # fmt: skip
    (documents / "broken.docx").unlink()


def test_a_thousand_files_at_once_are_few_runs_and_each_is_read_once(place: Place) -> None:
    place.wait_for(place.rest, "rest")
    before, since = len(requested(place.instance)), time.time()
    for number in range(MANY):
        place.write(f"note-{number}.txt", f"Note number {number}.")
    place.wait_for(lambda: place.serves(MANY + 4), "thousand documents")
    place.wait_for(place.rest, "rest")
    assert len(requested(place.instance)) - before <= 3
    assert total(place.instance, "raw_documents", "added", since) == MANY
    assert total(place.instance, "parsed_documents", "parsed", since) == MANY
    assert served(place.platform)["document_id"].n_unique() == MANY + 4


def test_a_daemon_killed_in_the_middle_loses_and_doubles_nothing(
    place: Place, tmp_path: Path
) -> None:
    place.wait_for(place.rest, "rest")
    before, since = len(requested(place.instance)), time.time()
    for number in range(0, MANY, 2):
        place.write(f"note-{number}.txt", f"Note number {number} was edited.")
    for number in range(1, MANY, 10):
        (place.folder / "documents" / f"note-{number}.txt").unlink()

    def in_the_middle() -> bool | None:
        return total(place.instance, "parsed_documents", "parsed", since) > 0 or None

    place.wait_for(in_the_middle, "run that has parsed and not yet ended")
    place.daemon.kill()
    assert unfinished(place.instance), "it was killed in the middle"
    with running_daemon(DEFINITIONS, tmp_path, place.environment) as daemon:
        place.daemon = daemon
        place.wait_for(place.rest, "rest")
    # the killed run, at most its retries, and what the sensor asks for afterwards
    assert len(requested(place.instance)) - before <= 5
    assert place.states() == {
        "indexed": MANY + 4 - MANY // 10, "empty": 0, "quarantined": 0, "pending": 0,
        "total": MANY + 4 - MANY // 10,
    }  # fmt: skip
    now = served(place.platform)
    assert now["chunk_id"].is_unique().all()
    assert_frame_equal(now, served(rebuilt(place.platform, tmp_path / "rebuild" / "home")))


def test_the_same_with_dagster_on_postgresql(
    tmp_path: Path, model_cache: Path, postgres_url: str
) -> None:
    address = create_database(postgres_url)
    with deployment(tmp_path, model_cache, RAG_ORCHESTRATION__DATABASE_URL=address) as place:
        place.wait_for(lambda: place.answer("Who checks the boiler?", "docs/boiler.md"), "answer")
        place.write("parrot.md", "# Parrot\n\nThe parrot of the lighthouse sings at dawn.")
        place.wait_for(
            lambda: place.answer("When does the parrot sing?", "docs/parrot.md"), "citation of it"
        )
        place.wait_for(place.rest, "rest")
        assert len(requested(place.instance)) == 2
        check_shown(place)
        assert not (tmp_path / ".ragline" / "dagster" / "history" / "runs.db").exists()
