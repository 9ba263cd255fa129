"""The manifest: incremental and from scratch are the same, and only what changed is read."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_assets.platform.errors import SourceUnavailable
from rag_assets.platform.settings import Settings, SourceSettings
from rag_assets.platform.storage import LocalStorage
from rag_assets.raw_documents.base import UNSETTLED, Fetched, Listed, Problem, failed
from rag_assets.raw_documents.blobs import Blobs
from rag_assets.raw_documents.changes import pending_changes
from rag_assets.raw_documents.manifest import (
    ManifestUpdate,
    manifest_digest,
    update_manifest,
)
from rag_assets.raw_documents.schema import RAW_DOCUMENTS
from rag_assets.raw_documents.sources import SourcePartition, open_partition

EMPTY = RAW_DOCUMENTS.to_frame()
HISTORY = ["run_id", "signature"]
QUIET = {"added": 0, "changed": 0, "deleted": 0}


class Place:
    """A folder with a manifest, and the runs over it."""

    def __init__(self, folder: Path, **source: Any) -> None:
        self.root = folder / "docs"
        self.root.mkdir()
        self.blobs = Blobs(LocalStorage(folder / "home"))
        self.source = source
        self.frame = EMPTY
        self.run = 0

    def partition(self, key: str = "s") -> SourcePartition:
        source = SourceSettings(path=str(self.root), **self.source)
        return open_partition(Settings(sources={"s": source}), key)

    def update(self, previous: pl.DataFrame | None = None, **options: Any) -> ManifestUpdate:
        self.run += 1
        update = update_manifest(
            self.frame if previous is None else previous,
            self.partition(),
            self.blobs,
            max_bytes=options.pop("max_bytes", 10_000),
            run_id=f"run-{self.run}",
            **options,
        )
        assert update.frame.schema == RAW_DOCUMENTS
        assert update.frame["document_id"].is_sorted()
        assert update.frame["document_id"].is_unique().all()
        assert update.listed == update.frame.height
        assert update.listed == update.added + update.renamed + update.changed + update.unchanged
        self.frame = update.frame
        return update

    def pending(self) -> dict[str, int]:
        return pending_changes(self.frame, self.partition())

    def settle(self) -> None:
        """Pretend that time has passed: the signatures of the rows are trusted from now on."""
        self.frame = self.frame.with_columns(pl.col("signature").str.strip_prefix(UNSETTLED))

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def row(self, name: str) -> dict[str, Any]:
        return self.frame.row(by_predicate=pl.col("document_id") == f"s/{name}", named=True)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, acl=["staff"])


def test_the_life_of_a_document(place: Place) -> None:
    place.write("a.md", "one")
    place.write("b.md", "two")
    first = place.update()
    assert (first.added, first.bytes_read) == (2, 6)
    assert place.blobs.get(place.row("a.md")["content_sha256"]) == b"one"

    place.settle()
    second = place.update()
    assert (second.unchanged, second.bytes_read) == (2, 0)
    assert second.frame.equals(
        first.frame.with_columns(pl.col("signature").str.strip_prefix(UNSETTLED))
    )

    place.write("a.md", "three")
    assert place.pending() == {"listed": 2, "added": 0, "changed": 1, "deleted": 0, "unchanged": 1}
    third = place.update()
    assert (third.changed, third.unchanged, third.bytes_read) == (1, 1, 5)
    assert (place.row("a.md")["run_id"], place.row("b.md")["run_id"]) == ("run-3", "run-1")

    (place.root / "a.md").rename(place.root / "z.md")
    assert place.pending() | {"unchanged": 0} == {
        "listed": 2, "added": 1, "changed": 0, "deleted": 1, "unchanged": 0,
    }  # fmt: skip
    fourth = place.update()
    assert (fourth.renamed, fourth.added, fourth.deleted) == (1, 0, 0)

    (place.root / "b.md").unlink()
    fifth = place.update()
    assert (fifth.deleted, fifth.frame["document_id"].to_list()) == (1, ["s/z.md"])


def test_a_second_look_right_after_an_ingest_finds_nothing(place: Place) -> None:
    place.write("a.md", "one")
    place.update()
    assert place.row("a.md")["signature"].startswith(UNSETTLED), "written in this very moment"
    assert place.pending() == QUIET | {"listed": 1, "unchanged": 1}


def test_a_change_within_one_tick_of_the_clock_is_seen(place: Place) -> None:
    file = place.write("a.md", "one")
    before = file.stat()
    place.update()
    with open(file, "r+") as handle:
        handle.write("two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert place.pending()["changed"] == 1
    assert place.update().changed == 1
    assert place.blobs.get(place.row("a.md")["content_sha256"]) == b"two"


def test_a_touch_right_after_an_ingest_is_seen_for_its_date(place: Place) -> None:
    file = place.write("a.md", "one")
    place.update()
    later = file.stat().st_mtime_ns + 1_000_000_000
    os.utime(file, ns=(later, later))
    assert place.pending()["changed"] == 1
    place.update()
    assert place.row("a.md")["modified_at"].timestamp() == pytest.approx(later / 1e9)
    assert place.pending() == QUIET | {"listed": 1, "unchanged": 1}


def test_a_touched_file_is_unchanged(place: Place) -> None:
    file = place.write("a.md", "one")
    place.update()
    old = place.row("a.md")
    os.utime(file, (1_000_000_000, 1_000_000_000))
    update = place.update()
    new = place.row("a.md")
    assert (update.unchanged, update.changed) == (1, 0)
    assert new["modified_at"].year == 2001
    assert (new["run_id"], new["content_sha256"]) == (old["run_id"], old["content_sha256"])


def test_new_metadata_is_a_change_of_the_same_content(place: Place) -> None:
    place.write("a.md", "one")
    place.update()
    old = place.row("a.md")
    place.write("a.md.meta.toml", 'acl = ["board"]')
    update = place.update()
    assert (update.changed, place.row("a.md")["acl"]) == (1, ["board"])
    assert place.row("a.md")["content_sha256"] == old["content_sha256"]


def test_new_defaults_reach_documents_that_did_not_change(place: Place) -> None:
    place.write("a.md", "one")
    place.update()
    place.settle()
    place.source["acl"] = ["board"]
    assert place.pending()["changed"] == 1
    assert place.update().changed == 1
    assert place.row("a.md")["acl"] == ["board"]


def test_a_problem_closes_the_document_and_comes_and_goes(place: Place) -> None:
    file = place.write("a.md", "---\nacl: [hr]\n---\nsecret")
    place.update()
    file.write_text("---\nacl: hr: x\n---\nsecret")
    update = place.update()
    row = place.row("a.md")
    assert (update.changed, update.problems) == (1, 1)
    assert (row["problem_kind"], row["content_sha256"], row["acl"]) == ("bad_metadata", None, [])
    assert place.pending() == QUIET | {"listed": 1, "unchanged": 1}
    file.write_text("---\nacl: [hr]\n---\nsecret")
    assert (place.update().problems, place.row("a.md")["acl"]) == (0, ["hr"])


def test_a_new_size_limit_is_applied_to_files_that_did_not_change(place: Place) -> None:
    place.write("a.md", "x" * 500)
    place.update()
    place.settle()
    assert place.update(max_bytes=100).problems == 1
    assert place.row("a.md")["problem_kind"] == "too_large"
    assert pending_changes(place.frame, place.partition(), max_bytes=10_000)["changed"] == 1
    assert place.update().problems == 0


def test_full_reads_everything_and_changes_nothing(place: Place) -> None:
    place.write("a.md", "one")
    place.update()
    place.settle()
    before = place.frame
    update = place.update(full=True)
    assert (update.bytes_read, update.unchanged) == (3, 1)
    assert update.frame.drop("signature").equals(before.drop("signature"))


def test_a_moved_root_gives_new_uris_only(place: Place) -> None:
    place.write("a.md", "one")
    place.update()
    place.settle()
    digest = manifest_digest(place.frame)
    place.root = place.root.rename(place.root.with_name("moved"))
    update = place.update()
    assert (update.unchanged, update.bytes_read) == (1, 0)
    assert "moved" in place.row("a.md")["uri"]
    assert manifest_digest(place.frame) == digest


def test_a_source_that_is_gone_deletes_nothing(place: Place) -> None:
    place.write("a.md", "one")
    place.update()
    place.root.rename(place.root.with_name("elsewhere"))
    with pytest.raises(SourceUnavailable):
        place.update()
    with pytest.raises(SourceUnavailable):
        place.pending()
    assert place.frame.height == 1


def test_a_retired_partition_is_emptied(place: Place) -> None:
    place.write("a.md", "one")
    place.update()
    update = update_manifest(
        place.frame, place.partition("s--1of2"), place.blobs, max_bytes=100, run_id="r"
    )
    assert (update.deleted, update.frame.height) == (1, 0)
    assert pending_changes(place.frame, place.partition("old"))["deleted"] == 1


class Scripted:
    """A partition whose listing and reads are written down; not a server, the protocol itself."""

    source_name = "s"

    def __init__(self, listing: list[Listed], kind: str = "") -> None:
        self.listing = listing
        self.kind = kind

    def owns(self, document_id: str) -> bool:
        return not document_id.endswith("other-shard")

    def changed_at(self) -> None:
        return None

    def list(self) -> Iterator[Listed]:
        return iter(self.listing)

    def fetch(self, listed: Listed, max_bytes: int) -> Fetched:
        if self.kind:
            return failed(listed, Problem(self.kind, "as scripted"))
        return Fetched(
            b"text", None, [], {}, listed.media_type, listed.signature, 4, listed.modified_at
        )


def listed_as(name: str, signature: str, **more: Any) -> Listed:
    from datetime import UTC, datetime

    return Listed(
        f"s/{name}", "u", "text/plain", 4, datetime(2026, 1, 1, tzinfo=UTC), signature, **more
    )


def scripted(
    previous: pl.DataFrame, place: Place, *listing: Listed, kind: str = ""
) -> ManifestUpdate:
    return update_manifest(
        previous, Scripted(list(listing), kind), place.blobs, max_bytes=100, run_id="r"
    )


def test_a_document_that_changes_while_being_read_keeps_its_good_version(place: Place) -> None:
    first = scripted(EMPTY, place, listed_as("a", "1"))
    kind = "changed_while_reading"
    second = scripted(first.frame, place, listed_as("a", "2"), kind=kind)
    assert (second.unchanged, second.problems) == (1, 0)
    assert second.frame["content_sha256"].to_list() == first.frame["content_sha256"].to_list()
    assert second.frame["signature"][0].startswith(UNSETTLED)
    third = scripted(second.frame, place, listed_as("a", "2"))
    assert (third.unchanged, third.frame["signature"].to_list()) == (1, ["2"])


def test_a_new_document_that_changes_while_being_read_is_a_problem(place: Place) -> None:
    first = scripted(EMPTY, place, listed_as("a", "1"), kind="changed_while_reading")
    assert (first.added, first.problems) == (1, 1)
    assert first.frame["problem_kind"].to_list() == ["changed_while_reading"]
    second = scripted(first.frame, place, listed_as("a", "1"))
    assert (second.changed, second.problems) == (1, 0)


@pytest.mark.parametrize("folder", ["locked", "other-shard"])
def test_documents_of_a_folder_that_cannot_be_listed_are_kept(place: Place, folder: str) -> None:
    first = scripted(EMPTY, place, listed_as(f"{folder}/a", "1"), listed_as("b", "1"))
    blocked = listed_as(folder, "?", problem_kind="unreadable", problem="x", covers=True)
    pending = pending_changes(first.frame, Scripted([blocked]))
    second = scripted(first.frame, place, blocked)
    ids = set(second.frame["document_id"])
    assert ids == ({"s/locked", "s/locked/a"} if folder == "locked" else {"s/other-shard/a"})
    assert (second.deleted, pending["deleted"]) == (1, 1)
    assert pending["listed"] == second.listed


def test_progress_counts_up(place: Place) -> None:
    for number in range(3):
        place.write(f"{number}.md", "x")
    seen: list[int] = []
    place.update(progress=seen.append)
    assert seen == [1, 1, 1]


def test_the_digest_follows_what_later_stages_use(place: Place) -> None:
    place.write("a.md", "one")
    place.update()
    frame = place.frame
    digest = manifest_digest(frame)
    for column in ("run_id", "signature", "uri"):
        assert manifest_digest(frame.with_columns(pl.lit("x").alias(column))) == digest
    for column in ("content_sha256", "title", "attributes", "problem_kind"):
        assert manifest_digest(frame.with_columns(pl.lit("x").alias(column))) != digest
    for acl in (["a", "b"], ["a"], []):
        other = frame.with_columns(pl.Series("acl", [acl], dtype=pl.List(pl.String)))
        assert manifest_digest(other) != digest


NAMES = st.sampled_from(["a.md", "b.md", "d/c.md", "d/d.txt", "e.md"])
TEXTS = st.sampled_from(
    ["", "one", "two", "---\nacl: [hr]\n---\nx", "---\nacl: 3\n---\n", "y" * 60]
)
STEPS = st.one_of(
    st.tuples(st.just("write"), NAMES, TEXTS),
    st.tuples(st.just("rename"), NAMES, NAMES),
    st.tuples(st.just("delete"), NAMES, st.just("")),
    st.tuples(st.just("touch"), NAMES, st.just("")),
    st.tuples(
        st.just("sidecar"), NAMES, st.sampled_from(['acl = ["x"]', "acl = 1", 'title = "T"'])
    ),
    st.tuples(st.just("update"), st.just(""), st.just("")),
)


def apply(place: Place, action: str, name: str, argument: str) -> None:
    path = place.root / name
    if action == "write":
        place.write(name, argument)
    elif action == "sidecar":
        place.write(f"{name}.meta.toml", argument)
    elif action == "update":
        place.update(max_bytes=50)
    elif not path.exists():
        return
    elif action == "rename":
        (place.root / argument).parent.mkdir(exist_ok=True)
        path.replace(place.root / argument)
    elif action == "delete":
        path.unlink()
    else:
        os.utime(path)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, max_size=15))
def test_incremental_and_from_scratch_are_the_same(steps: list[tuple[str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), acl=["staff"])
        for action, name, argument in steps:
            apply(place, action, name, argument)
        before = place.frame
        pending = pending_changes(before, place.partition(), max_bytes=50)
        update = place.update(max_bytes=50)
        assert pending["listed"] == update.listed
        assert pending["added"] == update.added + update.renamed
        assert pending["deleted"] == update.deleted + update.renamed
        assert pending["changed"] >= update.changed
        incremental = place.frame
        assert pending_changes(incremental, place.partition(), max_bytes=50) == QUIET | {
            "listed": update.listed,
            "unchanged": update.listed,
        }
        place.update(EMPTY, max_bytes=50)
        assert incremental.drop(HISTORY).equals(place.frame.drop(HISTORY))
        assert manifest_digest(incremental) == manifest_digest(place.frame)
