"""Erasing documents from every retained version: nothing of them is left, everything else is the same."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lance
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lance.file import LanceFileReader
from polars.testing import assert_frame_equal

from rag_assets.platform.errors import IndexUnavailable
from rag_assets.vector_index import erasure as erasure_module
from rag_assets.vector_index import table as table_module
from rag_assets.vector_index.erasure import erase_documents, index_traces
from rag_assets.vector_index.reader import IndexReader
from rag_assets.vector_index.retention import drop_table, move_tag, purge, tables, tags, versions
from rag_assets.vector_index.table import IndexTable
from rag_assets.vector_index.version_files import DatasetFiles
from tests.s3_server import s3_server
from tests.vector_index.rows_for_tests import DIMENSIONS, rows, vector_of
from tests.vector_index.test_table import put

NAME = "x"
SECRET = "docs/secret"
PHRASE = "the walrus sleeps"
HISTORY = [
    {"docs/a": ["alpha words", "beta words"]},
    {"docs/a": ["alpha words", "beta words"], SECRET: [f"{PHRASE} early", "zanzibar"]},
    {"docs/a": ["alpha words", "delta words"], SECRET: [f"{PHRASE} late", "zanzibar"]},
    {"docs/a": ["alpha words", "delta words"], SECRET: ["zanzibar"], "docs/b": ["new"]},
    {"docs/a": ["alpha words"], "docs/b": ["new", "newer"]},
]
Texts = dict[str, list[str]]


def build(
    folder: Path, history: list[Texts], unreleased: Texts | None = None, renewed: int = 2
) -> IndexTable:
    """A table with one tagged version for each state; the head may hold one more.

    Args:
        renewed: the state whose rows are all in the indices; later ones have a few that are not.
    """
    table = IndexTable(str(folder), NAME, DIMENSIONS)
    for number, texts in enumerate(history, 1):
        put(table, rows(texts), "docs")
        table.prepare(force=number == renewed)
        table.tag(f"release-{number}", table.version)
    if unreleased is not None:
        put(table, rows(unreleased), "docs")
    return table


def content(folder: Path, version: int | str | None = None) -> pl.DataFrame:
    """All rows of a version, vectors included."""
    dataset = lance.dataset(f"{folder}/{NAME}.lance", version)
    frame = pl.from_arrow(dataset.to_table())
    assert isinstance(frame, pl.DataFrame)
    return frame.sort("chunk_id")


def indexed(folder: Path, tag: str) -> dict[str, bool]:
    """The columns of a version that have an index, and whether the index holds any rows."""
    found = lance.dataset(f"{folder}/{NAME}.lance", tag).describe_indices()
    return {index.field_names[0]: bool(index.num_rows_indexed) for index in found}


def without(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("document_id") != SECRET)


def erase(folder: Path) -> dict[str, int]:
    """Erase the document and let the tags follow, as the release room does."""
    before = tags(str(folder), NAME)
    after = dict(erase_documents(str(folder), NAME, [SECRET], before))
    for tag, version in after.items():
        move_tag(str(folder), NAME, tag, version)
    return after


def decoded(folder: Path) -> str:
    """Everything that any file under the table says, as text: rows, index files, transactions."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".lance" and path.is_file():
            found.append(str(LanceFileReader(str(path)).read_all().to_table().to_pylist()))
        elif path.is_file():
            found.append(path.read_bytes().decode("latin-1"))
    return "\n".join(found)


def traces(folder: Path) -> int:
    named = list(tags(str(folder), NAME))
    return index_traces(str(folder), NAME, named, [SECRET], [PHRASE])


def test_every_version_loses_the_document_and_nothing_else(tmp_path: Path) -> None:
    build(tmp_path, HISTORY, {"docs/a": ["alpha words"], SECRET: ["zanzibar back"]})
    before = {tag: content(tmp_path, tag) for tag in tags(str(tmp_path), NAME)}
    indices = {tag: indexed(tmp_path, tag) for tag in before}
    head, first = content(tmp_path), tags(str(tmp_path), NAME)["release-1"]

    after = erase(tmp_path)

    assert after["release-1"] == first
    assert {tag: indexed(tmp_path, tag) for tag in before} == indices
    for tag, frame in before.items():
        assert_frame_equal(content(tmp_path, tag), without(frame))
    assert_frame_equal(content(tmp_path), without(head))


def test_after_the_purge_no_file_holds_a_word_of_it(tmp_path: Path) -> None:
    build(tmp_path, HISTORY)
    assert "zanzibar" in decoded(tmp_path)
    assert SECRET in decoded(tmp_path)
    assert traces(tmp_path) > 3

    erase(tmp_path)
    facts = purge(str(tmp_path), NAME)

    assert facts.versions > 0
    assert facts.bytes > 0
    assert traces(tmp_path) == 0
    text = decoded(tmp_path)
    assert "alpha words" in text
    for trace in (SECRET, "zanzibar", PHRASE):
        assert trace not in text


def test_what_no_release_needs_and_is_gone_keeps_nobody_from_erasing(tmp_path: Path) -> None:
    other = {"docs/a": ["alpha words"]}
    build(tmp_path, [{**other, SECRET: [f"{PHRASE} {when}"]} for when in ("early", "late")])
    files = DatasetFiles(f"{tmp_path}/{NAME}.lance")
    early, late = (
        set(files.data_files(files.at(f"release-{number}")).values()) for number in (1, 2)
    )
    files.at(None).tags.delete("release-1")
    gone = early - late
    assert gone
    for path in gone:
        Path(files.uri, "data", path).unlink()
    every = versions(str(tmp_path), NAME)

    def found() -> int:
        return index_traces(str(tmp_path), NAME, every, [SECRET], [PHRASE])

    assert found() > 0
    erase(tmp_path)
    purge(str(tmp_path), NAME)
    every = versions(str(tmp_path), NAME)
    assert found() == 0
    assert SECRET not in decoded(tmp_path)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    build(tmp_path, HISTORY[:2])
    files = DatasetFiles(f"{tmp_path}/{NAME}.lance")
    for path in files.data_files(files.at("release-2")).values():
        Path(files.uri, "data", path).write_bytes(b"no table")
    with pytest.raises(IndexUnavailable, match="cannot be searched"):
        traces(tmp_path)


def test_the_words_are_no_tokens_any_more(tmp_path: Path) -> None:
    build(tmp_path, HISTORY)
    erase(tmp_path)
    purge(str(tmp_path), NAME)
    for tag in tags(str(tmp_path), NAME):
        reader = IndexReader(str(tmp_path), NAME, tag)
        assert reader.full_text("zanzibar walrus", 5, None).chunk_id == []
        tokens = token_dictionaries(tmp_path, tag)
        assert "zanzibar" not in tokens
        assert "walrus" not in tokens


def token_dictionaries(folder: Path, tag: str) -> set[str]:
    """The tokens of a version's full-text index, from the lengths of its dictionaries."""
    files = DatasetFiles(f"{folder}/{NAME}.lance")
    found: set[str] = set()
    for uuid in files.index_uuids(files.at(tag), "embed_text"):
        for path in (folder / f"{NAME}.lance" / "_indices" / uuid).glob("*tokens.lance"):
            table = LanceFileReader(str(path)).read_all().to_table()
            count = table["_token_next_id"].to_pylist()[0]
            live = {word for text in content(folder, tag)["embed_text"] for word in split(text)}
            # a dictionary is compressed: it has as many tokens as its rows have words, and no more
            assert count <= len(live)
            found |= live
    return found


def split(text: str) -> list[str]:
    return text.replace("/", " ").split()


def test_others_are_found_as_before(tmp_path: Path) -> None:
    build(tmp_path, HISTORY)
    probe = vector_of("e-docs/a-alpha words")

    def answers() -> dict[str, Any]:
        readers = {t: IndexReader(str(tmp_path), NAME, t) for t in tags(str(tmp_path), NAME)}
        return {
            tag: (
                reader.full_text("alpha", 5, None).chunk_id,
                reader.dense(probe, 1, "array_has(readers, 'public')").chunk_id,
                reader.neighbours({"docs/a": [0, 1]}, None)["text"].sort().to_list(),
            )
            for tag, reader in readers.items()
        }

    before = answers()
    erase(tmp_path)
    purge(str(tmp_path), NAME)
    assert answers() == before


def test_rows_that_were_deleted_before_are_erased_too(tmp_path: Path) -> None:
    """A version in which the document has no rows any more still has them in its files."""
    table = IndexTable(str(tmp_path), NAME, DIMENSIONS)
    put(table, rows({"docs/a": ["alpha"], SECRET: ["zanzibar"]}), "docs")
    table.prepare()
    put(table, rows({"docs/a": ["alpha"]}), "docs")
    table.tag("release-1", table.version)
    before = content(tmp_path, "release-1")
    purge(str(tmp_path), NAME)
    assert "zanzibar" in decoded(tmp_path)
    assert traces(tmp_path) > 0

    erase(tmp_path)
    purge(str(tmp_path), NAME)

    assert "zanzibar" not in decoded(tmp_path)
    assert_frame_equal(content(tmp_path, "release-1"), before)


def test_indices_that_outlived_the_rows_are_built_anew(tmp_path: Path) -> None:
    """A fragment goes with its last row; the indices keep its values until somebody renews them."""
    table = IndexTable(str(tmp_path), NAME, DIMENSIONS)
    put(table, rows({"docs/a": ["alpha"]}), "docs")
    table.prepare()
    put(table, rows({"docs/a": ["alpha"], SECRET: ["zanzibar"]}), "docs")
    lance.dataset(f"{tmp_path}/{NAME}.lance").optimize.optimize_indices()
    table = IndexTable(str(tmp_path), NAME, DIMENSIONS)
    put(table, rows({"docs/a": ["alpha"]}), "docs")
    table.tag("release-1", table.version)
    purge(str(tmp_path), NAME)
    assert SECRET in decoded(tmp_path)
    assert traces(tmp_path) == 1

    erase(tmp_path)
    purge(str(tmp_path), NAME)

    assert SECRET not in decoded(tmp_path)
    assert traces(tmp_path) == 0
    reader = IndexReader(str(tmp_path), NAME, "release-1")
    assert reader.full_text("alpha", 5, None).chunk_id == ["docs/a#alpha"]


def test_a_shared_file_is_written_once_and_indices_are_taken_over(tmp_path: Path) -> None:
    same = {"docs/a": ["alpha"], SECRET: ["zanzibar"]}
    history = [same | {"docs/b": [str(number)]} for number in range(4)]
    build(tmp_path, history, renewed=0)
    new = erase(tmp_path)
    purge(str(tmp_path), NAME)
    files = DatasetFiles(f"{tmp_path}/{NAME}.lance")
    versions = [files.at(version) for version in new.values()]
    first = {files.data_files(version)[0] for version in versions}
    assert len(first) == 1
    uuids = {tuple(files.index_uuids(version, "embed_text")) for version in versions}
    assert len(uuids) == 1


def test_in_an_object_store(s3: dict[str, str]) -> None:
    uri = "s3://ragline/lancedb"
    table = IndexTable(uri, NAME, DIMENSIONS, s3)
    for number, texts in enumerate(HISTORY, 1):
        put(table, rows(texts), "docs")
        table.prepare()
        table.tag(f"release-{number}", table.version)
    named = tags(uri, NAME, s3)
    assert index_traces(uri, NAME, list(named), [SECRET], [PHRASE], s3) == 4
    for tag, version in erase_documents(uri, NAME, [SECRET], named, s3).items():
        move_tag(uri, NAME, tag, version, s3)
    assert purge(uri, NAME, s3).bytes > 0
    assert index_traces(uri, NAME, list(named), [SECRET], [PHRASE], s3) == 0
    counts = [IndexReader(uri, NAME, f"release-{number}", s3).count() for number in range(1, 6)]
    assert counts == [2, 2, 2, 3, 3]
    assert tables(uri, s3) == [NAME]
    drop_table(uri, NAME, s3)
    assert tables(uri, s3) == []


@pytest.fixture
def s3() -> Iterator[dict[str, str]]:
    """Options of a real S3 server with an empty bucket."""
    with s3_server("ragline") as options:
        yield options


def test_a_table_that_never_held_it_is_not_touched(tmp_path: Path) -> None:
    table = build(tmp_path, HISTORY[:1])
    version, before = table.version, tags(str(tmp_path), NAME)
    assert erase(tmp_path) == before
    assert IndexTable(str(tmp_path), NAME, DIMENSIONS).version == version


def test_a_version_that_held_nothing_else_is_empty(tmp_path: Path) -> None:
    build(tmp_path, [{SECRET: ["zanzibar"]}, {"docs/a": ["alpha"], SECRET: ["zanzibar"]}])
    erase(tmp_path)
    purge(str(tmp_path), NAME)
    assert content(tmp_path, "release-1").is_empty()
    assert content(tmp_path, "release-2")["text"].to_list() == ["alpha"]
    assert "zanzibar" not in decoded(tmp_path)
    reader = IndexReader(str(tmp_path), NAME, "release-1")
    assert reader.full_text("alpha", 5, None).chunk_id == []


class Crash(Exception):
    """The process is gone."""


def commits(monkeypatch: pytest.MonkeyPatch, crash_at: int) -> Callable[[], int]:
    """Raise after the n-th change to the dataset; gives the number of changes so far."""
    seen = 0

    def counted(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal seen
            done = method(*arguments, **named)
            seen += 1
            if seen == crash_at:
                raise Crash
            return done

        return call

    dataset = lance.LanceDataset
    for name in ("restore", "delete"):
        monkeypatch.setattr(dataset, name, counted(getattr(dataset, name)))
    for name in ("commit", "build_indices", "replace_indices"):
        monkeypatch.setattr(DatasetFiles, name, counted(getattr(DatasetFiles, name)))
    from lance.dataset import Tags

    for name in ("create", "delete"):
        monkeypatch.setattr(Tags, name, counted(getattr(Tags, name)))
    return lambda: seen


@pytest.mark.parametrize("by", ["eraser", "writer"])
def test_a_crash_after_any_step_is_repaired_by_running_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    with monkeypatch.context() as patch:
        build(tmp_path / "whole", HISTORY, HISTORY[2])
        count = commits(patch, -1)
        erase(tmp_path / "whole")
        steps = count()
    assert steps > 15
    for step in range(1, steps + 1):
        folder = tmp_path / str(step)
        build(folder, HISTORY, HISTORY[2])
        before = {tag: content(folder, tag) for tag in tags(str(folder), NAME)}
        head = content(folder)
        with monkeypatch.context() as patch:
            commits(patch, step)
            with pytest.raises(Crash):
                erase(folder)
        for tag, frame in before.items():  # readers have noticed nothing
            assert_frame_equal(content(folder, tag), frame)
        if by == "writer":
            IndexTable(str(folder), NAME, DIMENSIONS).resume_head()
            # the last steps come after the head has been made
            assert without(content(folder)).equals(without(head))
        erase(folder)
        purge(str(folder), NAME)
        for tag, frame in before.items():
            assert_frame_equal(content(folder, tag), without(frame))
        assert_frame_equal(content(folder), without(head))
        assert traces(folder) == 0
        assert table_module.HEAD_TAG not in tags(str(folder), NAME)


STATES = st.lists(
    st.dictionaries(
        st.sampled_from(["docs/a", "docs/b", SECRET]),
        st.lists(st.sampled_from(["one", "two", "three"]), unique=True, max_size=3),
    ),
    min_size=1,
    max_size=4,
)


@given(STATES, st.integers(0, 600))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_history_keeps_everything_else(
    tmp_path_factory: pytest.TempPathFactory, history: list[Texts], tolerated: int
) -> None:
    folder = tmp_path_factory.mktemp("lance")
    table = IndexTable(str(folder), NAME, DIMENSIONS)
    for number, texts in enumerate(history, 1):
        put(table, rows(texts), "docs")
        table.prepare(force=number % 2 == 0)
        table.tag(f"release-{number}", table.version)
    before = {tag: content(folder, tag) for tag in tags(str(folder), NAME)}
    original = erasure_module.MAX_UNINDEXED_ROWS
    erasure_module.MAX_UNINDEXED_ROWS = tolerated // 300
    try:
        erase(folder)
    finally:
        erasure_module.MAX_UNINDEXED_ROWS = original
    purge(str(folder), NAME)
    assert SECRET not in decoded(folder)
    for tag, frame in before.items():
        assert_frame_equal(content(folder, tag), without(frame))
        reader = IndexReader(str(folder), NAME, tag)
        for word in ("one", "two", "three"):
            wanted = sorted(without(frame).filter(pl.col("text") == word)["chunk_id"])
            assert sorted(reader.full_text(word, 20, None).chunk_id) == wanted
        held = set(without(frame)["chunk_id"])
        listed = reader.chunks(frame["chunk_id"].to_list(), "array_has(readers, 'public')")
        assert set(listed["chunk_id"]) == held
