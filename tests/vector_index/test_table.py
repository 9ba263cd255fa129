"""The LanceDB table: one commit per shard, versions that stay, counts that agree."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag_assets.platform.errors import IndexUnavailable
from rag_assets.vector_index import table as table_module
from rag_assets.vector_index.reader import IndexReader
from rag_assets.vector_index.rows import difference
from rag_assets.vector_index.table import Commit, IndexTable
from tests.vector_index.rows_for_tests import DIMENSIONS, rows, vector_of, with_vectors


def put(table: IndexTable, wanted: pl.DataFrame, partition: str) -> Commit:
    write, remove = difference(wanted, table.stored(partition))
    return table.commit_shard(partition, with_vectors(write), remove, lambda: with_vectors(wanted))


def test_a_shard_is_replaced_by_its_difference_in_one_version(tmp_path: Path) -> None:
    table = IndexTable(str(tmp_path), "x", DIMENSIONS)
    put(table, rows({"docs/a": ["one", "two"]}), "docs")
    put(table, rows({"docs/z": ["zero"]}, partition="other"), "other")
    before = table.version
    commit = put(table, rows({"docs/a": ["one", "2"], "docs/b": ["three"]}), "docs")
    assert (commit.written, commit.removed, commit.version) == (2, 1, before + 1)
    assert sorted(table.stored("docs")["chunk_id"]) == ["docs/a#2", "docs/a#one", "docs/b#three"]
    assert table.stored("other")["chunk_id"].to_list() == ["docs/z#zero"]
    again = put(table, rows({"docs/a": ["one", "2"], "docs/b": ["three"]}, run_id="later"), "docs")
    assert again == Commit(0, 0, commit.version)


def test_everything_can_go(tmp_path: Path) -> None:
    table = IndexTable(str(tmp_path), "x", DIMENSIONS)
    put(table, rows({"docs/a": ["one"]}), "docs")
    put(table, rows({}), "docs")
    assert table.count() == 0
    table.prepare()
    assert table.indices() == {}


def test_a_long_list_of_removals_replaces_the_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_module, "MAX_LISTED_REMOVALS", 3)
    table = IndexTable(str(tmp_path), "x", DIMENSIONS)
    put(table, rows({"docs/a": [str(number) for number in range(10)]}), "docs")
    put(table, rows({"docs/z": ["zero"]}, partition="other"), "other")
    version = table.version
    put(table, rows({"docs/a": ["0", "1", "new"]}), "docs")
    assert table.version == version + 1
    assert sorted(table.stored("docs")["chunk_id"]) == ["docs/a#0", "docs/a#1", "docs/a#new"]
    assert table.stored("other").height == 1


def test_quotes_in_names_are_data(tmp_path: Path) -> None:
    table = IndexTable(str(tmp_path), "x", DIMENSIONS)
    put(table, rows({"docs/it's": ["o'ne", "' OR 1=1 --"]}), "docs")
    put(table, rows({"docs/it's": ["o'ne"]}), "docs")
    assert table.stored("docs")["chunk_id"].to_list() == ["docs/it's#o'ne"]


def test_a_tag_pins_what_readers_see(tmp_path: Path) -> None:
    table = IndexTable(str(tmp_path), "x", DIMENSIONS)
    put(table, rows({"docs/a": ["alpha words", "beta words"]}), "docs")
    table.prepare()
    table.tag("release-1", table.version)
    put(table, rows({"docs/a": ["gamma words"]}), "docs")
    table.prepare(force=True)
    table.tag("release-2", table.version)
    old, new = (IndexReader(str(tmp_path), "x", tag) for tag in ("release-1", "release-2"))
    assert old.full_text("beta", 5, None).chunk_id == ["docs/a#beta words"]
    assert new.full_text("beta", 5, None).chunk_id == []
    probe = vector_of("e-docs/a-alpha words")
    nearest = old.dense(probe, 1, None)
    assert old.rows(nearest.row_id)["text"].to_list() == ["alpha words"]
    assert nearest.score[0] == pytest.approx(1.0, abs=1e-5)
    assert (old.count(), new.count()) == (2, 1)
    assert new.documents().rows() == [("docs/a", "c" * 64, 1)]


def test_rows_written_after_the_index_are_found_by_full_text(tmp_path: Path) -> None:
    table = IndexTable(str(tmp_path), "x", DIMENSIONS)
    put(table, rows({"docs/a": ["alpha words"]}), "docs")
    table.prepare()
    put(table, rows({"docs/a": ["alpha words", "delta words"]}), "docs")
    table.prepare()
    reader = IndexReader(str(tmp_path), "x", table.version)
    found = reader.full_text("delta", 5, None)
    assert reader.rows(found.row_id)["text"].to_list() == ["delta words"]


def test_a_version_that_is_not_there_is_explained(tmp_path: Path) -> None:
    IndexTable(str(tmp_path), "x", DIMENSIONS)
    with pytest.raises(IndexUnavailable, match="release-9"):
        IndexReader(str(tmp_path), "x", "release-9")


SHARDS = st.dictionaries(
    st.sampled_from(["docs/a", "docs/b", "docs/c"]),
    st.lists(st.sampled_from(["one", "two", "three", "four"]), unique=True),
)


@given(st.lists(st.tuples(st.sampled_from(["p", "q"]), SHARDS), max_size=6))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_history_ends_in_the_last_state(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[str, dict[str, list[str]]]]
) -> None:
    table = IndexTable(str(tmp_path_factory.mktemp("lance")), "x", DIMENSIONS)
    last: dict[str, set[str]] = {"p": set(), "q": set()}
    for partition, texts in history:
        named = {f"{partition}-{name}": passages for name, passages in texts.items()}
        wanted = rows(named, partition=partition)
        put(table, wanted, partition)
        last[partition] = set(wanted["chunk_id"])
        for name, expected in last.items():
            assert set(table.stored(name)["chunk_id"]) == expected
    assert table.count() == sum(len(expected) for expected in last.values())
