"""Maintenance: old releases go, space comes back, the rest answers as before, twice is as once."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from evals.evaluations import Evaluation, Evaluations, write_rows
from rag_assets.platform.errors import NoRelease
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import ReleaseSettings
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.raw_documents.blobs import Blobs
from rag_assets.releases.registry import Registry
from rag_jobs.maintain import Maintenance, maintain, maintenance_job
from tests.app.commands import ragline
from tests.jobs.harness import build_index, run_stages
from tests.query.restricted import changed
from tests.releases.releases_for_tests import copied, with_history

LATER = datetime.now(UTC) + timedelta(days=3)
TEXT = "# Lighthouse {0}\n\nLighthouse {0} was built in 18{0}1 by its crew."
NOTHING = {
    "releases": (),
    "tables": (),
    "versions": 0,
    "index_bytes": 0,
    "blobs": 0,
    "blob_bytes": 0,
    "evaluations": 0,
    "indexed": 0,
    "runs": 0,
    "run_bytes": 0,
}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Platform:
    """Five releases, each with one document, which is another one every time."""
    history = [{f"lighthouse{number}.md": TEXT.format(number)} for number in range(1, 6)]
    return with_history(tmp_path_factory.mktemp("maintain") / "deployment", model_cache, history)


@pytest.fixture
def platform(original: Platform, tmp_path: Path) -> Platform:
    settings = ReleaseSettings(keep_days=0, keep_last=1)
    return changed(copied(original, tmp_path / "deployment"), releases=settings)


def ask(platform: Platform, release_id: int) -> list[tuple[str, str]]:
    hits = QueryEngine(platform, release_id).search("When was it built?", Caller())
    return [(hit.document_id, hit.text) for hit in hits]


def disk(platform: Platform) -> int:
    folders = (platform.state_path / name for name in ("lancedb", "blobs", "tables"))
    return sum(
        path.stat().st_size for item in folders for path in item.rglob("*") if path.is_file()
    )


def numbers(done: Maintenance) -> dict[str, object]:
    return {name: value for name, value in done.to_dict().items() if name != "seconds"}


def test_old_releases_go_with_all_that_was_kept_for_them(platform: Platform) -> None:
    evaluations = [Evaluation("retrieval", "golden", number, {}) for number in (1, 5)]
    Evaluations(platform.database).record(evaluations)
    for evaluation in evaluations:
        write_rows(platform, evaluation, pl.DataFrame({"question_id": ["q"]}))
    before = {number: ask(platform, number) for number in (4, 5)}
    size = disk(platform)
    told: list[tuple[str, int, int]] = []

    done = maintain(platform, LATER, lambda *step: told.append(step))

    assert done.releases == (1, 2, 3)
    assert done.versions >= 3
    assert done.evaluations == 1
    assert platform.tables.partitions("retrieval_evaluation") == [evaluations[1].evaluation_id]
    # two releases can be read: the bytes of their documents stay
    assert done.blobs == 3
    assert done.index_bytes > 0
    assert done.blob_bytes > 0
    assert disk(platform) < size
    assert {number: ask(platform, number) for number in (4, 5)} == before
    for number in (1, 2, 3):
        with pytest.raises(NoRelease, match=f"{number}"):
            ask(platform, number)
    assert told[-1][1:] == (5, 5)
    again = numbers(maintain(platform, LATER))
    assert again == NOTHING
    assert {number: ask(platform, number) for number in (4, 5)} == before


def test_blobs_of_what_is_listed_but_not_released_stay(platform: Platform) -> None:
    documents = platform.state_path.parent / "documents"
    (documents / "new.md").write_text("The new lighthouse has no keeper.")
    build_index(platform)
    maintain(platform, LATER)
    blobs = Blobs(platform.storage)
    sha256 = blobs.put(b"The new lighthouse has no keeper.")
    assert maintain(platform, datetime.now(UTC)).blobs == 0
    assert blobs.get(sha256)
    run_stages(platform)
    live = Registry(platform.database).live()
    assert live is not None
    assert live.documents == 2


def test_rows_that_the_indices_do_not_hold_are_added(platform: Platform) -> None:
    documents = platform.state_path.parent / "documents"
    (documents / "new.md").write_text("The new lighthouse has no keeper.")
    build_index(platform)
    assert maintain(platform, LATER).indexed >= 1
    assert maintain(platform, LATER).indexed == 0


def test_while_an_ingest_runs_there_is_none(platform: Platform) -> None:
    folder = write_settings(platform)
    with platform.lock("ingest", doing="ragline ingest"):
        result = ragline("maintain", "--json", folder=folder)
    assert result.code == 1
    assert result.json["error"]["type"] == "AlreadyRunning"
    assert "ragline ingest" in result.json["error"]["message"]
    assert all(release.readable for release in Registry(platform.database).all())


def write_settings(platform: Platform) -> Path:
    folder = platform.state_path.parent
    documents = folder / "documents"
    toml = (
        f'home = "{platform.state_path}"\n[releases]\nkeep_days = 0\nkeep_last = 1\n'
        f'[sources.docs]\npath = "{documents}"\nacl = ["public"]\n'
    )
    (folder / "ragline.toml").write_text(toml)
    return folder


def test_the_command_tells_people_and_scripts(platform: Platform) -> None:
    folder = write_settings(platform)
    shown = ragline("maintain", folder=folder)
    assert shown.code == 0, shown.errors
    assert "1, 2, 3" in shown.output
    script = ragline("maintain", "--json", folder=folder)
    assert script.code == 0
    expected = json.loads(json.dumps(NOTHING))
    assert {name: script.json[name] for name in expected} == expected


def test_the_job_says_what_it_removed(platform: Platform) -> None:
    result = maintenance_job.execute_in_process(
        resources={"platform": platform}, instance=dg.DagsterInstance.ephemeral()
    )
    assert result.success
    (output,) = [
        event.step_output_data.metadata for event in result.all_events if event.is_successful_output
    ]
    assert output["releases"].value == "1, 2, 3"
    assert isinstance(output["index_bytes"].value, int)
    assert result.output_for_node("maintain_deployment")["releases"] == (1, 2, 3)
