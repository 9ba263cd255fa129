"""The incremental rule: any history of edits ends in the index that a rebuild gives, row for row."""

import os
import shutil
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from polars.testing import assert_frame_equal

from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import load_settings
from rag_jobs.pending import find_pending
from rag_jobs.status import status_of
from tests.jobs.harness import build_index, docx, rebuilt, run_stages, served

NAMES = ["a.md", "b.md", "sub/c.md", "sub/d.txt", "e.docx", "sub/f.docx"]
WORDS = st.sampled_from(
    [
        "the boiler",
        "is checked",
        "in March",
        "by the caretaker",
        "twice a year",
        "at noon",
        "über Nacht",
    ]
)
PARAGRAPH = st.lists(WORDS, min_size=2, max_size=12).map(lambda words: " ".join(words) + ".")
PARAGRAPHS = st.lists(PARAGRAPH, max_size=5)
CORRUPT = b"PK\x03\x04 this is not an archive"
SETTINGS = """
[sources.docs]
path = "documents"
acl = ["public"]
shards = 2
[parsing]
workers = 1
[gates]
max_quarantine_share = 1.0
[chunking]
max_tokens = 40
"""


def content(name: str, paragraphs: list[str]) -> bytes:
    if name.endswith(".docx"):
        return docx(paragraphs)
    text = "\n\n".join(
        f"## Part {number}\n\n{text}" if number % 2 else text
        for number, text in enumerate(paragraphs)
    )
    return text.encode()


class Histories(RuleBasedStateMachine):
    """Adds, edits, renames, deletes, corrupts and restores; ingests; compares with a rebuild."""

    model_cache: Path

    @initialize()
    def deploy(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="history-"))
        self.before = Path.cwd()
        os.chdir(self.folder)
        Path("ragline.toml").write_text(SETTINGS)
        self.documents = self.folder / "documents"
        self.documents.mkdir()
        Path(".ragline").mkdir()
        self.model_cache.mkdir(parents=True, exist_ok=True)
        Path(".ragline/models").symlink_to(self.model_cache, target_is_directory=True)
        self.platform = Platform(load_settings())
        self.files: dict[str, list[str]] = {}
        self.corrupt: set[str] = set()
        self.had_good_version: set[str] = set()
        self.ingested = False

    def teardown(self) -> None:
        if not hasattr(self, "folder"):
            return
        try:
            # every history is judged, also those whose last steps were edits
            self.ingest()
            self.every_document_is_in_one_state()
            self.compare_with_a_rebuild()
        finally:
            os.chdir(self.before)
            shutil.rmtree(self.folder)

    def write(self, name: str, data: bytes) -> None:
        path = self.documents / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        self.ingested = False

    @rule(name=st.sampled_from(NAMES), paragraphs=PARAGRAPHS)
    def add_or_replace(self, name: str, paragraphs: list[str]) -> None:
        self.files[name] = paragraphs
        self.corrupt.discard(name)
        self.write(name, content(name, paragraphs))

    @precondition(lambda self: self.files)
    @rule(data=st.data(), paragraph=PARAGRAPH)
    def edit(self, data: st.DataObject, paragraph: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.files)))
        paragraphs = list(self.files[name])
        paragraphs.insert(data.draw(st.integers(0, len(paragraphs))), paragraph)
        self.add_or_replace(name, paragraphs)

    @precondition(lambda self: self.files)
    @rule(data=st.data(), new=st.sampled_from(NAMES))
    def rename(self, data: st.DataObject, new: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.files)))
        if Path(name).suffix != Path(new).suffix or new in self.files:
            return
        (self.documents / new).parent.mkdir(exist_ok=True)
        (self.documents / name).rename(self.documents / new)
        self.files[new] = self.files.pop(name)
        self.had_good_version.discard(name)
        if name in self.corrupt:
            self.corrupt.remove(name)
            self.corrupt.add(new)
        self.ingested = False

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.files)))
        del self.files[name]
        self.corrupt.discard(name)
        self.had_good_version.discard(name)
        (self.documents / name).unlink()
        self.ingested = False

    @rule(name=st.sampled_from(["e.docx", "sub/f.docx"]))
    def corrupt_one(self, name: str) -> None:
        self.files.setdefault(name, [])
        self.corrupt.add(name)
        self.write(name, CORRUPT)

    @precondition(lambda self: self.corrupt)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.corrupt)))
        self.add_or_replace(name, self.files[name])

    @rule()
    def ingest(self) -> None:
        """More likely than other steps, so that edits fall between ingests."""
        self.ingest_now()

    @rule()
    def ingest_once_more(self) -> None:
        self.ingest_now()

    def ingest_now(self) -> None:
        run_stages(self.platform)
        self.ingested = True
        good = {name for name in self.files if name not in self.corrupt}
        self.had_good_version |= good

    @precondition(lambda self: self.ingested)
    @rule()
    def ingest_again_does_nothing(self) -> None:
        assert run_stages(self.platform) == {}

    @precondition(lambda self: self.ingested)
    @rule()
    def compare_with_a_rebuild(self) -> None:
        other = Path(tempfile.mkdtemp(prefix="rebuild-")) / "home"
        try:
            ours, theirs = served(self.platform), served(rebuilt(self.platform, other))
        finally:
            shutil.rmtree(other.parent)
        # a rebuild cannot know the older version of a document that cannot be read now
        assert_frame_equal(ours.filter(~pl.col("stale")), theirs)

    @invariant()
    def every_document_is_in_one_state(self) -> None:
        if not hasattr(self, "ingested") or not self.ingested:
            return
        found = status_of(self.platform)["documents"]
        words = [
            name
            for name, paragraphs in self.files.items()
            if paragraphs and name not in self.corrupt
        ]
        assert found == {
            "indexed": len(words),
            "empty": len(self.files) - len(words) - len(self.corrupt),
            "quarantined": len(self.corrupt),
            "pending": 0,
            "total": len(self.files),
        }


def test_any_history_ends_like_a_rebuild(model_cache: Path) -> None:
    def machine() -> Histories:
        found = Histories()
        found.model_cache = model_cache
        return found

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=10,
            stateful_step_count=14,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # every step is a whole ingest: a failing history is shown as found, not shrunk for hours
            phases=[Phase.generate],
        ),
    )


@pytest.fixture
def platform(deploy) -> Platform:  # type: ignore[no-untyped-def]
    deploy()
    return Platform(load_settings())


LONG = "# Heating\n\n" + "\n\n".join(
    f"## Room {number}\n\n"
    + " ".join(f"Radiator {number}.{part} is bled every autumn." for part in range(12))
    for number in range(8)
)


def facts(done: dict, stage: str) -> dict:  # type: ignore[type-arg]
    return done["docs"][stage].facts


def test_an_edit_touches_only_its_chunks(platform: Platform) -> None:
    Path("documents/heating.md").write_text(LONG)
    Path("documents/other.md").write_text("# Other\n\nNothing to see here, move along please.")
    run_stages(platform)
    before = served(platform)
    Path("documents/heating.md").write_text(
        LONG.replace("Radiator 3.5 is bled", "Radiator 3.5 is painted")
    )
    done = run_stages(platform, "second")
    after = served(platform)
    touched = after.join(before, on="chunk_id", how="anti")
    assert facts(done, "parsed_documents")["parsed"] == 1
    assert facts(done, "embeddings")["embedded"] == touched.height == 1
    assert "painted" in touched["text"][0]


def test_a_rename_embeds_and_parses_nothing(platform: Platform) -> None:
    Path("documents/heating.md").write_text(LONG)
    run_stages(platform)
    before = served(platform)
    Path("documents/heating.md").rename("documents/warmth.md")
    done = run_stages(platform, "second")
    assert facts(done, "parsed_documents")["parsed"] == 0
    assert facts(done, "raw_documents")["renamed"] == 1
    assert facts(done, "embeddings")["embedded"] == 0
    after = served(platform)
    assert after["document_id"].unique().to_list() == ["docs/warmth.md"]
    assert sorted(after["text"]) == sorted(before["text"])


def test_a_delete_leaves_nothing_behind(platform: Platform) -> None:
    Path("documents/heating.md").write_text(LONG)
    Path("documents/other.md").write_text("# Other\n\nNothing to see here, move along please.")
    run_stages(platform)
    Path("documents/heating.md").unlink()
    run_stages(platform, "second")
    assert served(platform)["document_id"].unique().to_list() == ["docs/other.md"]


def test_a_changed_splitter_embeds_only_unseen_texts(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("documents/heating.md").write_text(LONG)
    run_stages(platform)
    seen = set(served(platform)["text"])
    monkeypatch.setenv("RAG_CHUNKING__MAX_TOKENS", "60")
    changed = Platform(load_settings())
    done = run_stages(changed, "second")
    assert facts(done, "parsed_documents")["parsed"] == 0
    texts = set(served(changed)["text"])
    assert texts != seen
    assert facts(done, "embeddings")["embedded"] == len(texts - seen)
    monkeypatch.delenv("RAG_CHUNKING__MAX_TOKENS")
    back = Platform(load_settings())
    done = run_stages(back, "third")
    assert facts(done, "embeddings")["embedded"] == 0
    assert set(served(back)["text"]) == seen


def test_a_new_acl_reaches_the_index_without_parsing(platform: Platform) -> None:
    Path("documents/heating.md").write_text(LONG)
    run_stages(platform)
    Path("documents/heating.md.meta.toml").write_text('acl = ["caretakers"]\n')
    done = run_stages(platform, "second")
    assert facts(done, "parsed_documents")["parsed"] == 0
    assert facts(done, "embeddings")["embedded"] == 0
    assert served(platform)["acl"].unique().to_list() == [["caretakers"]]


def test_sharding_anew_moves_documents_without_embedding(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        Path(f"documents/note-{number}.md").write_text(
            f"# Note {number}\n\nThe note with number {number}."
        )
    run_stages(platform)
    before = served(platform)
    settings_file = Path("ragline.toml")
    settings_file.write_text(settings_file.read_text() + "shards = 3\n")
    sharded = Platform(load_settings())
    done = run_stages(sharded, "second")
    assert sorted(done) == ["docs", "docs--1of3", "docs--2of3", "docs--3of3"]
    assert sum(stages["embeddings"].facts["embedded"] for stages in done.values()) == 0
    assert_frame_equal(served(sharded), before)
    assert sharded.tables.partitions("raw_documents") == ["docs--1of3", "docs--2of3", "docs--3of3"]
    assert run_stages(sharded) == {}


def test_a_lost_index_is_built_again_without_embedding(platform: Platform) -> None:
    Path("documents/heating.md").write_text(LONG)
    run_stages(platform)
    before = served(platform)
    shutil.rmtree(".ragline/lancedb")
    done = run_stages(platform, "second")
    assert facts(done, "embeddings")["embedded"] == 0
    assert_frame_equal(served(platform), before)
    assert run_stages(platform) == {}


def test_a_live_version_that_is_gone_is_released_again(platform: Platform) -> None:
    Path("documents/heating.md").write_text(LONG)
    run_stages(platform)
    before = served(platform)
    shutil.rmtree(".ragline/lancedb")
    build_index(platform)  # and then the process died
    pending = find_pending(platform)
    assert (pending.work, pending.release_due) == ([], True)
    assert "release 1 is gone" in pending.release_reason
    run_stages(platform, "second")
    assert_frame_equal(served(platform), before)


def test_a_lost_table_is_built_again(platform: Platform) -> None:
    Path("documents/heating.md").write_text(LONG)
    run_stages(platform)
    before = served(platform)
    for stage in ("parsed_documents", "chunks", "embeddings", "vector_index", "raw_documents"):
        Path(f".ragline/tables/{stage}/docs.parquet").unlink()
        run_stages(platform, stage)
        assert_frame_equal(served(platform), before)


def test_a_source_that_is_no_longer_configured_leaves_the_index(platform: Platform) -> None:
    Path("documents/heating.md").write_text(LONG)
    Path("more").mkdir()
    Path("more/extra.md").write_text("# Extra\n\nAn extra document of another source.")
    settings_file = Path("ragline.toml")
    only = settings_file.read_text()
    settings_file.write_text(only + '[sources.more]\npath = "more"\n')
    run_stages(Platform(load_settings()))
    assert "more/extra.md" in served(platform)["document_id"].to_list()
    settings_file.write_text(only)
    after = Platform(load_settings())
    run_stages(after, "second")
    assert served(after)["document_id"].unique().to_list() == ["docs/heating.md"]
