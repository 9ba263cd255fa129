"""``kill -9`` during each stage: the old release serves, and the next ingest reaches the same state."""

import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from rag_assets.platform.contract_server import ContractServer
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import load_settings
from rag_jobs.pending import STAGES
from rag_jobs.status import status_of
from tests.app.commands import ragline, start
from tests.conftest import Deploy
from tests.jobs.harness import rebuilt, served


def note(number: int, edition: int) -> str:
    body = "\n\n".join(
        f"## Part {part}\n\nNote {number} of edition {edition if part == 1 else 0}, part {part}, says what "
        f"the house rule number {number * 10 + part} is about."
        for part in range(4)
    )
    return f"# Note {number}\n\n{body}\n"


def table(stage: str) -> Callable[[], object]:
    path = Path(f".ragline/tables/{stage}/docs.parquet")

    def state() -> object:
        try:
            return path.stat().st_mtime_ns
        except FileNotFoundError:
            return None

    return state


def index_versions() -> object:
    return len(list(Path(".ragline/lancedb").glob("*.lance/_versions/*")))


def candidates() -> object:
    try:
        with sqlite3.connect("file:.ragline/platform.db?mode=ro", uri=True) as database:
            return database.execute("SELECT max(id) FROM releases").fetchone()
    except sqlite3.OperationalError:
        return None


def started() -> object:
    return Path(".ragline/locks/ingest.json").exists()


# the moment at which each kill comes: just after this changes
MOMENTS: dict[str, Callable[[], object]] = {
    "before the first stage": started,
    **{f"after {stage}": table(stage) for stage in STAGES},
    "in the index commit": index_versions,
    "after the candidate": candidates,
}


@pytest.fixture(autouse=True)
def contract_server() -> Iterator[None]:
    """The commands validate by it, as Dagster's runs do: half of their time would go into an import."""
    server = ContractServer()
    server.start()
    yield
    server.close()


@pytest.mark.timeout(3600)
def test_killed_anywhere_it_ends_in_the_same_state(deploy: Deploy, tmp_path: Path) -> None:
    documents = deploy() / "documents"
    for number in range(30):
        (documents / f"note-{number}.md").write_text(note(number, 0))
    assert ragline("ingest", "--json").code == 0
    platform = Platform(load_settings())
    for edition, (moment, state) in enumerate(MOMENTS.items(), start=1):
        for number in range(edition, 30, 3):
            (documents / f"note-{number}.md").write_text(note(number, edition))
        (documents / f"extra-{edition}.md").write_text(note(100 + edition, edition))
        (documents / f"note-{edition - 1}.md").unlink()
        before = served(platform)
        kill_when_changed(state, moment)
        after = served(platform)
        # readers see the release before or, if the kill came too late, the whole one after
        if not after.equals(before):
            assert status_of(platform)["documents"]["pending"] == 0, moment
        if edition % 3 == 0:
            assert ragline("ingest", "--json").code == 0, moment
    final = ragline("ingest", "--json")
    assert final.code == 0, final.errors
    assert_frame_equal(served(platform), served(rebuilt(platform, tmp_path / "rebuilt")))
    counts = status_of(platform)["documents"]
    assert counts["indexed"] == counts["total"] == len(list(documents.iterdir()))
    leftovers = [
        path.name for path in Path(".ragline/tables").rglob("*") if path.suffix == ".writing"
    ]
    assert len(leftovers) <= len(MOMENTS), "temporary files of killed runs pile up"
    unfinished = pl.DataFrame(ragline("releases", "list", "--json").json)["status"]
    assert "candidate" not in unfinished.to_list()


def kill_when_changed(state: Callable[[], object], moment: str) -> None:
    Path(".ragline/locks/ingest.json").unlink(missing_ok=True)
    before = state()
    with start("ingest", "--json") as process:
        # thirteen processes are started one after the other, on a machine that may be busy or paused
        deadline = time.monotonic() + 600
        while state() == before and process.poll() is None:
            if time.monotonic() > deadline:
                process.kill()
                pytest.fail(f"nothing happened: {moment}")
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
