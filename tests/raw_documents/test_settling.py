"""The settle rule: what was written a moment ago waits, and nothing else waits for it."""

import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_assets.platform.settings import Settings, SourceSettings
from rag_assets.platform.storage import LocalStorage
from rag_assets.raw_documents.blobs import Blobs
from rag_assets.raw_documents.changes import Changes, scan_changes
from rag_assets.raw_documents.manifest import ManifestUpdate, update_manifest
from rag_assets.raw_documents.schema import RAW_DOCUMENTS
from rag_assets.raw_documents.settling import SettleRule
from rag_assets.raw_documents.sources import SourcePartition, open_partition

SECONDS = 5.0
# the kernel stamps files by a clock that ticks every few milliseconds
TICK_SECONDS = 0.02


class Watched:
    """A folder, or a JSONL file, with the manifest that a sensor's runs keep of it."""

    def __init__(self, folder: Path, kind: str = "folder") -> None:
        self.root = folder / "docs"
        self.root.mkdir()
        self.kind = kind
        self.blobs = Blobs(LocalStorage(folder / "home"))
        self.frame = RAW_DOCUMENTS.to_frame()

    def partition(self) -> SourcePartition:
        path = self.root if self.kind == "folder" else self.root / "all.jsonl"
        source = SourceSettings(kind=self.kind, path=str(path), acl=["staff"])
        return open_partition(Settings(sources={"s": source}), "s")

    def look(self, settle: SettleRule) -> Changes:
        return scan_changes(self.frame, self.partition(), settle=settle)

    def update(self, settle: SettleRule | None = None, **options: Any) -> ManifestUpdate:
        rule = {"settle": settle} if settle else {}
        update = update_manifest(
            self.frame,
            self.partition(),
            self.blobs,
            max_bytes=options.pop("max_bytes", 10_000),
            run_id="run",
            **rule,
            **options,
        )
        self.frame = update.frame
        return update

    def contents(self) -> dict[str, bytes]:
        rows = self.frame.select("document_id", "content_sha256").iter_rows()
        return {name.removeprefix("s/"): self.blobs.get(sha256) for name, sha256 in rows}


def moment() -> SettleRule:
    """The rule with which everything before this moment is settled, and nothing after it."""
    time.sleep(TICK_SECONDS)
    now = datetime.now(UTC)
    time.sleep(TICK_SECONDS)
    return SettleRule(SECONDS, now + timedelta(seconds=SECONDS))


def later() -> SettleRule:
    """The rule when everything has been left alone for long enough."""
    return SettleRule(SECONDS, datetime.now(UTC) + timedelta(seconds=SECONDS + 1))


@pytest.fixture
def place(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_a_new_file_is_read_when_it_is_left_alone_and_the_others_at_once(place: Watched) -> None:
    (place.root / "old.md").write_text("old")
    rule = moment()
    (place.root / "new.md").write_text("half of it")
    found = place.look(rule)
    assert (found.added, found.settling) == ({"s/old.md"}, {"s/new.md"})
    update = place.update(rule)
    assert (update.listed, update.added, update.settling) == (1, 1, 1)
    assert place.contents() == {"old.md": b"old"}
    found = place.look(later())
    assert (found.added, found.settling) == ({"s/new.md"}, frozenset())
    assert place.update(later()).added == 1


def test_an_edited_file_stays_as_it_was_until_it_is_left_alone(place: Watched) -> None:
    (place.root / "a.md").write_text("one")
    place.update()
    rule = moment()
    (place.root / "a.md").write_text("two, half")
    before = place.frame
    found = place.look(rule)
    assert (found.changed, found.deleted, found.settling) == (set(), set(), {"s/a.md"})
    assert place.update(rule).settling == 1
    assert place.frame.equals(before)
    assert place.update(later()).changed == 1
    assert place.contents() == {"a.md": b"two, half"}


def test_a_copy_that_keeps_its_times_waits_too(place: Watched) -> None:
    rule = moment()
    (place.root / "a.md").write_text("copied by cp -p")
    os.utime(place.root / "a.md", (1_000_000_000, 1_000_000_000))
    assert place.look(rule).settling == {"s/a.md"}


def test_a_date_in_the_future_is_no_reason_to_wait_for_it(place: Watched) -> None:
    (place.root / "a.md").write_text("from the year 2286")
    os.utime(place.root / "a.md", (9_999_999_999, 9_999_999_999))
    assert place.look(moment()).added == {"s/a.md"}


def test_a_clock_that_was_set_wrongly_is_no_reason_to_wait(place: Watched) -> None:
    (place.root / "a.md").write_text("on a server whose clock is hours ahead")
    rule = SettleRule(SECONDS, datetime.now(UTC) - timedelta(hours=3))
    assert place.look(rule).added == {"s/a.md"}
    rule = SettleRule(SECONDS, datetime.now(UTC) - timedelta(seconds=3))
    assert place.look(rule).settling == {"s/a.md"}


def test_a_sidecar_that_is_being_written_holds_its_document_back(place: Watched) -> None:
    (place.root / "a.md").write_text("one")
    place.update()
    rule = moment()
    (place.root / "a.md.meta.toml").write_text('acl = ["bo')
    assert place.look(rule).settling == {"s/a.md"}
    place.update(rule)
    assert place.frame["problem_kind"].to_list() == [None]
    (place.root / "a.md.meta.toml").write_text('acl = ["board"]')
    place.update(later())
    assert place.frame["acl"].to_list() == [["board"]]


def test_a_rename_is_never_a_gap(place: Watched) -> None:
    (place.root / "a.md").write_text("one")
    (place.root / "gone.md").write_text("another length")
    place.update()
    rule = moment()
    (place.root / "a.md").rename(place.root / "b.md")
    (place.root / "gone.md").unlink()
    found = place.look(rule)
    assert (found.deleted, found.settling) == ({"s/gone.md"}, {"s/b.md"})
    place.update(rule)
    assert place.contents() == {"a.md": b"one"}
    update = place.update(later())
    assert (update.renamed, update.deleted) == (1, 0)
    assert place.contents() == {"b.md": b"one"}


def test_what_a_person_has_ingested_at_once_is_not_settling(place: Watched) -> None:
    rule = moment()
    (place.root / "a.md").write_text("one")
    time.sleep(TICK_SECONDS)
    place.update()
    assert place.look(rule).settling == set()


def test_a_new_acl_of_the_source_waits_for_no_file(place: Watched) -> None:
    (place.root / "a.md").write_text("one")
    place.update()
    rule = moment()
    (place.root / "a.md").write_text("two")
    place.update(rule, full=True)
    assert place.contents() == {"a.md": b"two"}


def test_a_jsonl_file_counts_as_a_whole(tmp_path: Path) -> None:
    place = Watched(tmp_path, "jsonl")
    file = place.root / "all.jsonl"
    file.write_text('{"_id": "1", "text": "one"}\n{"_id": "2", "text": "two"}\n')
    place.update()
    before = place.frame
    rule = moment()
    for half_written in ("", '{"_id": "2", "te'):
        file.write_text(half_written)
        found = place.look(rule)
        assert (found.listed, found.deleted, found.added, found.settling) == (
            2, set(), set(), {"s"},
        )  # fmt: skip
        assert place.update(rule).settling == 1
        assert place.frame.equals(before)
    file.write_text('{"_id": "2", "text": "two"}\n')
    assert place.update(later()).deleted == 1


def test_the_digest_of_a_listing_follows_what_is_settled(place: Watched) -> None:
    (place.root / "a.md").write_text("one")
    rule = moment()
    first = place.look(rule).digest
    (place.root / "b.md").write_text("two")
    assert place.look(rule).digest == first
    assert place.look(later()).digest != first


NAMES = ["a.md", "b.md", "d/c.md", "d/e.txt"]
STEP = st.one_of(
    st.tuples(
        st.just("write"),
        st.sampled_from(NAMES),
        st.sampled_from(["one", "two", "three", "---\nacl: 3\n---\n"]),
    ),
    st.tuples(st.just("sidecar"), st.sampled_from(NAMES), st.sampled_from(['title = "T"', "x"])),
    st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("delete"), st.sampled_from(NAMES), st.just("")),
    st.tuples(st.just("touch"), st.sampled_from(NAMES), st.just("")),
)
STEPS = st.lists(STEP, max_size=6)
ROWS = pl.exclude("run_id", "signature")


def do(place: Watched, steps: list[tuple[str, str, str]]) -> set[str]:
    """Take steps; gives the names that something was written under."""
    written: set[str] = set()
    for action, name, argument in steps:
        path = place.root / name
        path.parent.mkdir(exist_ok=True)
        if action == "write":
            path.write_text(argument)
        elif action == "sidecar":
            Path(f"{path}.meta.toml").write_text(argument)
        elif not path.exists():
            continue
        elif action == "rename":
            (place.root / argument).parent.mkdir(exist_ok=True)
            path.replace(place.root / argument)
            written.add(argument)
        elif action == "delete":
            path.unlink()
        else:
            os.utime(path)
        written |= {name} if action in ("write", "sidecar", "touch") else set()
    return written


def rows(frame: pl.DataFrame) -> dict[str, dict[str, Any]]:
    return {row["document_id"]: row for row in frame.select(ROWS).iter_rows(named=True)}


@settings(max_examples=40, deadline=None)
@given(known=STEPS, before=STEPS, after=STEPS)
def test_settled_documents_come_in_and_the_others_are_untouched(
    known: list[tuple[str, str, str]],
    before: list[tuple[str, str, str]],
    after: list[tuple[str, str, str]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Watched(Path(folder))
        do(place, known)
        place.update()
        previous = rows(place.frame)
        do(place, before)
        rule = moment()
        unsettled = {f"s/{name}" for name in do(place, after)}
        found = place.look(rule)
        update = place.update(rule)
        now = rows(place.frame)
        assert found.listed == update.listed
        assert len(found.added) == update.added + update.renamed
        assert len(found.deleted) == update.deleted + update.renamed
        assert found.settling <= unsettled
        assert not found.settling & (found.added | found.changed | found.deleted)
        rebuilt = rows(
            update_manifest(
                RAW_DOCUMENTS.to_frame(), place.partition(), place.blobs,
                max_bytes=10_000, run_id="rebuild",
            ).frame
        )  # fmt: skip
        for name in unsettled & found.settling:
            assert now.get(name) == previous.get(name)
        for name in rebuilt.keys() - unsettled:
            assert now[name] == rebuilt[name]
        # what was renamed may stay under its old name as long as the new one is not settled
        assert now.keys() - rebuilt.keys() <= (previous.keys() if found.settling else set())
        place.update(later())
        assert rows(place.frame) == rebuilt
        assert place.look(later()).settling == set()
