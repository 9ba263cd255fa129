"""Two machines write to one deployment: one wins, the other says why, and nothing is lost."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from rag_assets.platform.errors import ReleaseConflict
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import load_settings
from rag_assets.releases.candidate import release_candidate
from rag_assets.releases.gates import FurtherGates
from rag_assets.releases.history import WENT_LIVE, History
from rag_assets.releases.opening import require_readable
from rag_assets.releases.operations import resume_promotions
from rag_assets.releases.registry import Registry
from rag_assets.vector_index.reader import IndexReader
from rag_jobs.pending import find_pending
from tests.jobs.harness import SERVED, build_index, run_stages
from tests.postgres import create_database
from tests.releases.machine.machines import (
    SETTINGS,
    Machine,
    machine,
    run_together,
)
from tests.s3_server import s3_server

WHY = {"AlreadyRunning", "ReleaseConflict"}


@pytest.fixture
def url(postgres_url: str) -> str:
    """A database that all machines reach."""
    return create_database(postgres_url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ragline.toml").write_text(SETTINGS)
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "harbour.md").write_text("The harbour is deep and wide.")
    return tmp_path


@contextmanager
def here(monkeypatch: pytest.MonkeyPatch, chosen: Machine) -> Iterator[Platform]:
    """This process as a process of a machine."""
    with monkeypatch.context() as patch:
        for name, value in chosen.environment.items():
            patch.setenv(name, value)
        patch.delenv("DAGSTER_HOME", raising=False)
        yield Platform(load_settings())


@pytest.fixture
def on_a_folder(
    folder: Path, url: str, model_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> list[Machine]:
    """Two machines that see one folder; release 1 is there already."""
    machines = [machine(folder, name, model_cache, RAG_DATABASE_URL=url) for name in ("ant", "bee")]
    with here(monkeypatch, machines[0]) as platform:
        run_stages(platform)
    return machines


@pytest.fixture(scope="session")
def s3() -> Iterator[dict[str, str]]:
    """A real S3 server with a bucket; yields the storage options that reach it."""
    with s3_server("state") as options:
        yield options


@pytest.fixture
def on_s3(
    folder: Path,
    url: str,
    model_cache: Path,
    s3: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> list[Machine]:
    """Two machines that see one prefix of a bucket; release 1 is there already."""
    shared = {
        "RAG_DATABASE_URL": url,
        "RAG_HOME": f"s3://state/{folder.name}",
        "RAG_STORAGE_OPTIONS": json.dumps(s3),
    }
    machines = [machine(folder, name, model_cache, **shared) for name in ("ant", "bee")]
    with here(monkeypatch, machines[0]) as platform:
        run_stages(platform)
    return machines


@contextmanager
def watched(platform: Platform) -> Iterator[list[str]]:
    """Look all the time at what is live; yields what was wrong with it."""
    wrong: list[str] = []
    done = threading.Event()

    def look() -> None:
        registry = Registry(platform.database)
        while not done.is_set():
            live = [item for item in registry.all() if item.status == "live"]
            try:
                assert len(live) == 1, f"{len(live)} live releases"
                require_readable(platform, live[0])
            except Exception as error:
                wrong.append(repr(error))
            done.wait(0.05)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield wrong
    finally:
        done.set()
        thread.join()


def served(platform: Platform) -> pl.DataFrame:
    live = Registry(platform.database).live()
    assert live is not None
    reader = IndexReader(platform.lancedb_uri, live.table_name, live.tag, platform.storage_options)
    frame = pl.from_arrow(reader._dataset.to_table(columns=SERVED))
    assert isinstance(frame, pl.DataFrame)
    return frame.sort("chunk_id")


def check_in_the_end(platform: Platform, fresh: Path, models: Path) -> None:
    """Nothing lost, nothing doubled: after a last ingest the index is what a rebuild gives."""
    resume_promotions(platform)
    run_stages(platform)
    assert find_pending(platform).nothing
    ours = served(platform)
    assert ours["chunk_id"].n_unique() == ours.height
    fresh.mkdir()
    (fresh / "models").symlink_to(models, target_is_directory=True)
    changes: dict[str, Any] = {"home": str(fresh), "state_dir": "", "database_url": ""}
    values = load_settings().model_dump() | changes
    rebuilt = Platform(type(platform.settings).model_validate(values))
    run_stages(rebuilt)
    assert_frame_equal(ours, served(rebuilt))
    for release in Registry(platform.database).all():
        if release.readable:
            require_readable(platform, release)
    went_live = [
        item.release_id for item in History(platform.database).events() if item.event in WENT_LIVE
    ]
    twice = [former for former, later in pairwise(went_live) if former == later]
    assert not twice, f"promoted twice: {twice} of {went_live}"


@pytest.mark.parametrize("place", ["on_a_folder", "on_s3"])
def test_stages_and_promotions_at_the_same_time(
    place: str,
    request: pytest.FixtureRequest,
    folder: Path,
    model_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machines: list[Machine] = request.getfixturevalue(place)
    with here(monkeypatch, machines[0]) as platform:
        with watched(platform) as wrong:
            told = run_together(
                [item.start("stages", 6, folder / "documents") for item in machines]
            )
        assert not wrong
        # no error but those that say who was quicker, or that a file changed under the reader
        names = {"build", "release", "roll_back", "promote", "NoRelease", "IndexUnavailable"}
        errors = [item for one in told for item in one if item["what"] not in names | WHY]
        assert not errors
        released = [item for one in told for item in one if item["what"] == "release"]
        assert sum(" live " in item["outcome"] for item in released) >= 2
        check_in_the_end(platform, folder / "fresh", model_cache)


def test_whole_ingests_at_the_same_time(
    on_a_folder: list[Machine],
    folder: Path,
    model_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with here(monkeypatch, on_a_folder[0]) as platform:
        with watched(platform) as wrong:
            told = run_together(
                [item.start("ingest", 4, folder / "documents") for item in on_a_folder]
            )
        assert not wrong
        whole = [item for one in told for item in one]
        assert {item["what"] for item in whole} <= {"ingest", "AlreadyRunning"}
        refused = [item["outcome"] for item in whole if item["what"] == "AlreadyRunning"]
        assert refused
        assert all("Another process is at work on 'ingest' (ragline " in text for text in refused)
        ingested = [json.loads(item["outcome"]) for item in whole if item["what"] == "ingest"]
        assert any(released for released, _, _ in ingested)
        assert not [failed for _, failed, _ in ingested if failed]
        check_in_the_end(platform, folder / "fresh", model_cache)


def test_one_whose_lock_was_lost_promotes_nothing_over_the_other(
    on_a_folder: list[Machine], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry itself refuses, where a lock did not keep the writers apart."""
    with here(monkeypatch, on_a_folder[0]) as platform:
        registry = Registry(platform.database)
        (folder / "documents" / "ferry.md").write_text("The ferry leaves at dawn.")
        build_index(platform)
        retired = release_candidate(platform, "run-2").release
        (folder / "documents" / "tide.md").write_text("High tide comes at noon.")
        build_index(platform)

        def meanwhile(*_: object) -> list[Any]:
            registry.promote(1, event="rolled_back")
            return []

        with pytest.raises(ReleaseConflict, match="Release 1 went live while release 3") as refused:
            release_candidate(platform, "run-3", FurtherGates({}, (), meanwhile))
        assert f"judged against release {retired.id}; nothing was changed" in str(refused.value)
        live = registry.live()
        assert live is not None
        assert live.id == 1
        assert release_candidate(platform, "run-4").promoted
