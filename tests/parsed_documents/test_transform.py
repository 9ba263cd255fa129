"""The incremental rule: only what is new is parsed, and nothing that was good is lost."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag_assets.parsed_documents.pending import name_in_words
from rag_assets.parsed_documents.schema import PARSED_DOCUMENTS
from rag_assets.parsed_documents.transform import (
    ParseUpdate,
    parse_documents,
    parse_pending,
    parsed_digest,
    parser_fingerprint,
)
from rag_assets.platform.settings import ParsingSettings
from rag_assets.platform.storage import LocalStorage
from rag_assets.raw_documents.blobs import Blobs
from rag_assets.raw_documents.media_types import media_type_of
from rag_assets.raw_documents.schema import RAW_DOCUMENTS

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = ParsingSettings(workers=1, max_attempts=3, retry_seconds=60, timeout_seconds=20)
EMPTY = PARSED_DOCUMENTS.to_frame()
BROKEN = b"%PDF-1.7 broken"


class World:
    """A manifest that a test edits, and its contents."""

    def __init__(self, folder: Path) -> None:
        self.blobs = Blobs(LocalStorage(folder))
        self.rows: dict[str, dict[str, Any]] = {}
        self.frame = EMPTY
        self.runs = 0

    def put(self, name: str, content: bytes, **more: Any) -> None:
        row = {
            "document_id": f"s/{name}",
            "source": "s",
            "media_type": media_type_of(name),
            "size_bytes": len(content),
            "content_sha256": self.blobs.put(content),
            "acl": [],
        }
        self.rows[name] = row | more

    def problem(self, name: str, kind: str) -> None:
        self.put(name, b"", content_sha256=None, problem_kind=kind, problem="It is so.")

    @property
    def raw(self) -> pl.DataFrame:
        return pl.DataFrame(list(self.rows.values()), RAW_DOCUMENTS)

    def run(self, now: datetime = NOW, full: bool = False) -> ParseUpdate:
        self.runs += 1
        pending = parse_pending(self.frame, self.raw, SETTINGS, now)
        update = parse_documents(
            self.frame, self.raw, self.blobs, SETTINGS, run_id=f"r{self.runs}", now=now, full=full
        )
        if not full:
            assert update.parsed == pending
        assert update.frame.schema == PARSED_DOCUMENTS
        assert update.frame["document_id"].to_list() == sorted(self.raw["document_id"])
        self.frame = update.frame
        return update

    def row(self, name: str) -> dict[str, Any]:
        return self.frame.row(by_predicate=pl.col("document_id") == f"s/{name}", named=True)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_second_run_does_nothing(world: World) -> None:
    world.put("a.md", b"# A\n\ntext")
    world.put("b.txt", b" \n")
    world.put("c.pdf", BROKEN)
    first = world.run()
    assert (first.parsed, first.empty, first.quarantined, first.stale) == (3, 1, 1, 0)
    assert first.errors_by_kind == {"malformed": 1}
    assert (world.row("a.md")["title"], world.row("b.txt")["title"]) == ("A", "b")
    second = world.run()
    assert (second.parsed, second.reused) == (0, 3)
    assert second.frame.equals(first.frame)
    assert parsed_digest(second.frame) == parsed_digest(first.frame)


def test_only_the_edited_document_is_parsed(world: World) -> None:
    world.put("a.md", b"one")
    world.put("b.md", b"two")
    world.run()
    before = world.row("b.md")
    world.put("a.md", b"changed")
    update = world.run()
    assert (update.parsed, world.row("a.md")["text"]) == (1, "changed")
    assert world.row("a.md")["run_id"] == "r2"
    assert world.row("b.md") == before


def test_renames_and_copies_cost_no_parse(world: World) -> None:
    world.put("a.md", b"# A\n\ntext")
    world.run()
    world.rows.pop("a.md")
    world.put("b.md", b"# A\n\ntext")
    world.put("c.md", b"# A\n\ntext")
    update = world.run()
    assert (update.parsed, update.renamed_reused, update.dropped) == (0, 2, 1)
    assert world.row("b.md")["text"] == "# A\n\ntext"
    world.put("d.py", b"# A\n\ntext")  # the same bytes as another kind of file
    assert world.run().parsed == 1
    assert world.row("d.py")["text"].startswith("```python")


def test_a_new_title_costs_no_parse(world: World) -> None:
    world.put("a.md", b"# A\n\ntext")
    before = parsed_digest(world.run().frame)
    world.put("a.md", b"# A\n\ntext", title="Better")
    assert world.run().parsed == 0
    assert world.row("a.md")["title"] == "Better"
    assert parsed_digest(world.frame) != before
    world.put("a.md", b"# A\n\ntext")
    world.run()
    assert world.row("a.md")["title"] == "A"
    assert parsed_digest(world.frame) == before


def test_failures_are_retried_with_a_doubling_wait_up_to_a_cap(world: World) -> None:
    world.put("a.pdf", BROKEN)
    world.run()
    assert world.run(NOW + timedelta(seconds=59)).retried == 0
    later = NOW + timedelta(seconds=60)
    update = world.run(later)
    assert (update.retried, update.parsed, world.row("a.pdf")["attempts"]) == (1, 1, 2)
    assert world.run(later + timedelta(seconds=119)).retried == 0
    assert world.run(later + timedelta(seconds=120)).retried == 1
    assert world.row("a.pdf")["attempts"] == 3
    assert world.run(later + timedelta(days=300)).retried == 0
    assert world.run(later, full=True).parsed == 1
    assert world.row("a.pdf")["attempts"] == 1


def test_an_older_good_version_serves_while_the_new_one_fails(world: World) -> None:
    world.put("a.pdf", b"plain text after all", media_type="text/plain", document_id="s/a")
    world.rows["a"] = world.rows.pop("a.pdf")
    world.run()
    good = world.row("a")
    assert good["status"] == "parsed"
    world.put("a", BROKEN, media_type="text/plain")
    update = world.run()
    row = world.row("a")
    assert (update.quarantined, update.stale, row["stale"]) == (1, 1, True)
    assert (row["text"], row["served_sha256"]) == (good["text"], good["content_sha256"])
    assert row["content_sha256"] != good["content_sha256"]
    world.run(NOW + timedelta(seconds=60))
    assert (world.row("a")["attempts"], world.row("a")["text"]) == (2, good["text"])
    world.put("a", b"plain text after all", media_type="text/plain")
    world.run()
    restored = world.row("a")
    assert (restored["stale"], restored["error_kind"]) == (False, None)
    assert restored["text_sha256"] == good["text_sha256"]


def test_problems_of_the_manifest_pass_through(world: World) -> None:
    world.put("a.md", b"text")
    world.run()
    world.problem("a.md", "unreadable")
    world.problem("b.md", "too_large")
    update = world.run()
    assert (update.parsed, update.quarantined, update.stale) == (0, 2, 1)
    assert update.errors_by_kind == {"unreadable": 1, "too_large": 1}
    assert (world.row("a.md")["text"], world.row("a.md")["content_sha256"]) == ("text", None)
    assert world.row("b.md")["attempts"] == 1
    again = world.run(NOW + timedelta(days=1))
    assert again.frame.equals(update.frame)
    world.put("a.md", b"text")  # it can be read again, and is what it was
    assert world.run().parsed == 0
    assert (world.row("a.md")["status"], world.row("a.md")["stale"]) == ("parsed", False)


@pytest.mark.parametrize("kind", ["bad_metadata", "path_escapes_root"])
def test_nothing_serves_while_the_acl_is_unknown(world: World, kind: str) -> None:
    world.put("a.md", b"text")
    world.run()
    world.problem("a.md", "unreadable")
    world.run()
    world.problem("a.md", kind)
    update = world.run()
    row = world.row("a.md")
    assert (update.stale, row["stale"], row["text"], row["served_sha256"]) == (0, False, None, None)
    assert world.run().frame.equals(update.frame)


def test_another_configuration_parses_again(world: World) -> None:
    world.put("a.md", b"text")
    world.run()
    other = SETTINGS.model_copy(update={"max_text_mb": 1.0})
    assert parser_fingerprint(other) != parser_fingerprint(SETTINGS)
    assert parse_pending(world.frame, world.raw, other, NOW) == 1
    faster = SETTINGS.model_copy(update={"workers": 7, "timeout_seconds": 1.0})
    assert parser_fingerprint(faster) == parser_fingerprint(SETTINGS)


def test_progress_is_reported_for_each_file(world: World) -> None:
    for number in range(5):
        world.put(f"{number}.md", b"x%d" % number)
    steps: list[int] = []
    parse_documents(
        EMPTY, world.raw, world.blobs, SETTINGS, run_id="r", now=NOW, progress=steps.append
    )
    assert steps == [1] * 5


CONTENTS = [b"# One\n\ntext", b"two", b" ", BROKEN, b"---\ntitle: x\n---\nbody"]
EDITS = st.lists(
    st.tuples(st.sampled_from(["a.md", "b.md", "c.txt"]), st.sampled_from([*CONTENTS, None])),
    min_size=1,
    max_size=6,
)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(EDITS, min_size=1, max_size=3))
def test_incremental_equals_full(
    tmp_path: Path, history: list[list[tuple[str, bytes | None]]]
) -> None:
    world = World(tmp_path)
    for edits in history:
        for name, content in edits:
            if content is None:
                world.rows.pop(name, None)
            else:
                world.put(name, content)
        world.run()
    rebuilt = World(tmp_path)
    rebuilt.rows = world.rows
    rebuilt.run()
    always = ["document_id", "content_sha256", "status", "error_kind"]
    assert world.frame.select(always).equals(rebuilt.frame.select(always))
    # an older version that still serves is what a rebuild cannot know
    served = [*always, "title", "text", "text_sha256", "page_starts", "parser"]
    fresh = world.frame.filter(~pl.col("stale"))
    expected = rebuilt.frame.join(fresh, on="document_id", how="semi")
    assert fresh.select(served).equals(expected.select(served))


@pytest.mark.parametrize(
    ("document", "title"),
    [
        ("docs/hr/travel-policy_2026.pdf", "travel policy 2026"),
        ("docs/2026-05-01.md", "2026-05-01"),
        ("docs/___.md", "___"),
        ("docs/Notes.tar.gz", "Notes.tar"),
        ("docs/.env", ".env"),
    ],
)
def test_a_file_without_a_title_is_called_by_the_words_of_its_name(
    document: str, title: str
) -> None:
    assert name_in_words(document) == title
