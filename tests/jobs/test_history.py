"""A real company's handbook, month by month: the incremental chunks are those of a rebuild."""

import subprocess
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from rag_assets.chunks.schema import CHUNKS
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings, load_settings
from rag_assets.platform.stage import StageOutcome, StageRun
from tests.jobs.harness import RUNNERS

STAGES = ("raw_documents", "parsed_documents", "chunks")
# a first month, a neighbour, and leaps with many renames and deletes, back in time too
MONTHS = (0, 1, 5, 4, 15)
COMPARED = (1, 4, 15)


def run_texts(platform: Platform, run_id: str) -> dict[str, StageOutcome]:
    return {stage: RUNNERS[stage](StageRun(platform, "docs", run_id)) for stage in STAGES}


def chunks_of(platform: Platform) -> pl.DataFrame:
    # when a row was made is the only thing that history may change
    return platform.tables.read("chunks", "docs", CHUNKS).drop("run_id")


@pytest.fixture
def handbook(deploy, shared_data: Path) -> Path:  # type: ignore[no-untyped-def]
    folder: Path = deploy()
    bundle = shared_data / "history" / "handbook.bundle"
    clone = ["git", "clone", "--quiet", str(bundle), str(folder / "documents")]
    (folder / "documents").rmdir()
    subprocess.run(clone, check=True, capture_output=True)
    return folder / "documents"


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout


def test_every_month_has_the_chunks_of_its_rebuild(handbook: Path, tmp_path: Path) -> None:
    commits = git(handbook, "log", "--reverse", "--format=%H").split()
    assert len(commits) == 16
    settings: Settings = load_settings()
    history = Platform(settings)
    for month in MONTHS:
        git(handbook, "checkout", "--quiet", commits[month])
        outcomes = run_texts(history, f"month-{month}")
        listed = {
            "docs/" + name
            for name in git(handbook, "ls-files", "-z").split("\0")
            if name and not any(part.startswith(".") for part in Path(name).parts)
        }
        assert outcomes["raw_documents"].rows == len(listed)
        if month in COMPARED:
            fresh = Platform(
                settings.model_copy(update={"home": str(tmp_path / f"rebuild-{month}")})
            )
            run_texts(fresh, "rebuild")
            assert_frame_equal(chunks_of(history), chunks_of(fresh))
            assert set(chunks_of(history)["document_id"]) <= listed
    again = run_texts(history, "again")
    assert again["parsed_documents"].facts["parsed"] == 0
    assert again["chunks"].facts["documents_chunked"] == 0


def test_a_month_parses_only_what_it_changed(handbook: Path) -> None:
    commits = git(handbook, "log", "--reverse", "--format=%H").split()
    platform = Platform(load_settings())
    git(handbook, "checkout", "--quiet", commits[8])
    run_texts(platform, "before")
    git(handbook, "checkout", "--quiet", commits[9])
    outcomes = run_texts(platform, "after")
    diff = git(handbook, "diff", "--name-status", "--no-renames", commits[8], commits[9])
    changes = [
        line.split("\t")[0] for line in diff.splitlines() if "/." not in "/" + line.split("\t")[1]
    ]
    manifest = outcomes["raw_documents"].facts
    assert manifest["added"] + manifest["renamed"] == changes.count("A")
    assert manifest["deleted"] + manifest["renamed"] == changes.count("D")
    assert manifest["changed"] == changes.count("M")
    parsed = outcomes["parsed_documents"].facts
    assert parsed["parsed"] <= manifest["added"] + manifest["changed"]
