"""Removing versions and tables: what has a tag stays, what has none goes, and space comes back."""

from pathlib import Path

import lance
from polars.testing import assert_frame_equal

from rag_assets.vector_index.retention import drop_table, move_tag, purge, remove_tag, tables, tags
from rag_assets.vector_index.table import HEAD_TAG, IndexTable
from tests.vector_index.rows_for_tests import DIMENSIONS
from tests.vector_index.test_erasure import HISTORY, NAME, build, content


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_tagged_versions_and_the_head_stay(tmp_path: Path) -> None:
    build(tmp_path, HISTORY, HISTORY[1])
    remove_tag(str(tmp_path), NAME, "release-3")
    kept = {tag: content(tmp_path, tag) for tag in tags(str(tmp_path), NAME)}
    head, before = content(tmp_path), size(tmp_path)

    facts = purge(str(tmp_path), NAME)

    assert facts.bytes == before - size(tmp_path) > 0
    dataset = lance.dataset(f"{tmp_path}/{NAME}.lance")
    assert {item["version"] for item in dataset.versions()} == {
        *tags(str(tmp_path), NAME).values(),
        dataset.version,
    }
    for tag, frame in kept.items():
        assert_frame_equal(content(tmp_path, tag), frame)
    assert_frame_equal(content(tmp_path), head)
    again = purge(str(tmp_path), NAME)
    assert (again.bytes, again.versions) == (0, 0)


def test_a_tag_moves(tmp_path: Path) -> None:
    build(tmp_path, HISTORY)
    other = tags(str(tmp_path), NAME)["release-2"]
    move_tag(str(tmp_path), NAME, "release-4", other)
    assert tags(str(tmp_path), NAME)["release-4"] == other


def test_the_tag_of_an_erasure_is_not_one_of_a_release(tmp_path: Path) -> None:
    table = build(tmp_path, HISTORY)
    before = tags(str(tmp_path), NAME)
    table.tag(HEAD_TAG, table.version)
    assert tags(str(tmp_path), NAME) == before


def test_a_table_goes_with_all_its_files(tmp_path: Path) -> None:
    build(tmp_path, HISTORY)
    IndexTable(str(tmp_path), "other", DIMENSIONS)
    before, other = size(tmp_path), size(tmp_path / "other.lance")
    facts = drop_table(str(tmp_path), NAME)
    assert tables(str(tmp_path)) == ["other"]
    assert size(tmp_path) == other
    assert 0 < facts.bytes <= before - other
    assert facts.versions > len(HISTORY)


def test_there_may_be_no_table_and_there_may_be_many(tmp_path: Path) -> None:
    assert tables(str(tmp_path)) == []
    for number in range(12):
        IndexTable(str(tmp_path), f"t{number:02}", DIMENSIONS)
    assert tables(str(tmp_path)) == [f"t{number:02}" for number in range(12)]
