"""``repair`` mends what was planted; nothing that agreed is written again, and answers are right."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller, acl_condition
from rag_assets.query.engine import QueryEngine
from rag_assets.raw_documents.manifest import manifest_digest
from rag_assets.releases.history import History
from rag_assets.releases.registry import Registry
from rag_assets.vector_index.reader import IndexReader
from rag_assets.vector_index.rows import HASHED_COLUMNS, readers, row_digests
from rag_assets.vector_index.sql import quoted
from rag_assets.verification.verify import verify
from rag_jobs.repair import Repair, repair
from tests.jobs.harness import run_stages, served
from tests.query.restricted import canary
from tests.verification.planted import (
    SHARDS,
    a_chunk,
    another_vector,
    copied,
    dataset,
    edit_table,
    files,
    kinds,
    live,
    released,
    rewritten,
    rows,
    set_registry,
    smuggle,
    table_folder,
    tables_path,
)

Plant = Callable[[Platform], None]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Platform:
    return released(tmp_path_factory.mktemp("sound"), model_cache)


@pytest.fixture
def platform(sound: Platform, tmp_path: Path) -> Platform:
    return copied(sound, tmp_path)


def lost_fragment(platform: Platform) -> None:
    fragment = dataset(platform).get_fragments()[0]
    (table_folder(platform) / "data" / fragment.data_files()[0].path).unlink()


def altered_vector(platform: Platform) -> None:
    chunk = a_chunk(platform)
    smuggle(platform, rewritten(platform, chunk, vector=another_vector(platform, chunk).tolist()))


def edited_text(platform: Platform) -> None:
    smuggle(platform, rewritten(platform, a_chunk(platform), text="Something else."))


def edited_acl(platform: Platform) -> None:
    values = {"acl": ["public"], "readers": ["public"]}
    smuggle(platform, rewritten(platform, a_chunk(platform), **values))


def forged_acl(platform: Platform) -> None:
    chunk = a_chunk(platform)
    row = rows(platform).filter(pl.col("chunk_id") == chunk)
    row = row.with_columns(acl=pl.lit(["public"], dtype=pl.List(pl.String)))
    sha256 = row_digests(row.with_columns(readers=readers()), HASHED_COLUMNS)[0]
    values = {"acl": ["public"], "readers": ["public"], "row_sha256": sha256}
    smuggle(platform, rewritten(platform, chunk, **values))


def removed_row(platform: Platform) -> None:
    chunk = a_chunk(platform)
    smuggle(platform, lambda target: target.delete(f"chunk_id = {quoted(chunk)}"))


def duplicate(platform: Platform) -> None:
    condition = f"chunk_id = {quoted(a_chunk(platform))}"
    row = dataset(platform).to_table(filter=condition)
    smuggle(platform, lambda target: target.insert(row))


def lost_search_index(platform: Platform) -> None:
    described = {item.name: item for item in dataset(platform).describe_indices()}
    for name in ("embed_text_idx", "readers_idx"):
        folder = table_folder(platform) / "_indices" / str(described[name].segments[0].uuid)
        shutil.rmtree(folder)


def missing_tag(platform: Platform) -> None:
    dataset(platform).tags.delete(live(platform).tag)


def wrong_tag(platform: Platform) -> None:
    dataset(platform).tags.update(live(platform).tag, 2)


def stray_tag(platform: Platform) -> None:
    dataset(platform).tags.create("release-77", 2)


def wrong_count(platform: Platform) -> None:
    set_registry(platform, live(platform).id, chunks=1, manifest_sha256="0" * 64)


def gone_version(platform: Platform) -> None:
    set_registry(platform, live(platform).id, lance_version=999)


def truncated(asset: str) -> Plant:
    def plant(platform: Platform) -> None:
        path = tables_path(platform, asset, SHARDS[0])
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return plant


def edited(asset: str, column: str, value: Any, digest: Any = None) -> Plant:
    def plant(platform: Platform) -> None:
        def edit(frame: pl.DataFrame) -> pl.DataFrame:
            row = pl.int_range(pl.len()) == 0
            other = pl.lit(pl.Series([value], dtype=frame.schema[column]))
            return frame.with_columns(pl.when(row).then(other).otherwise(column).alias(column))

        edit_table(platform, asset, SHARDS[0], edit, digest)

    return plant


def lost_table(platform: Platform) -> None:
    tables_path(platform, "chunks", SHARDS[0]).unlink()


def altered_stored_vector(platform: Platform) -> None:
    row = rows(platform).filter(pl.col("chunk_id") == a_chunk(platform))
    sha256, partition = row["embed_sha256"][0], row["partition"][0]
    vector = another_vector(platform, row["chunk_id"][0]).tolist()

    def edit(frame: pl.DataFrame) -> pl.DataFrame:
        other = pl.lit(pl.Series([vector], dtype=frame.schema["vector"]))
        here = pl.col("embed_sha256") == sha256
        return frame.with_columns(vector=pl.when(here).then(other).otherwise("vector"))

    edit_table(platform, "embeddings", partition, edit)


def lost_blob(platform: Platform) -> None:
    next((Path(platform.settings.home_location) / "blobs").glob("*/*")).unlink()


def edited_blob(platform: Platform) -> None:
    blob = next((Path(platform.settings.home_location) / "blobs").glob("*/*"))
    blob.write_bytes(blob.read_bytes().replace(b"the", b"teh"))


# plant → the stage tables that may be written again, and whether the index may
PLANTS: dict[str, tuple[Plant, tuple[str, ...], bool]] = {
    "lost fragment": (lost_fragment, (), True),
    "altered vector": (altered_vector, (), True),
    "edited text": (edited_text, (), True),
    "edited acl": (edited_acl, (), True),
    "forged acl": (forged_acl, (), True),
    "removed row": (removed_row, (), True),
    "duplicate row": (duplicate, (), True),
    "lost search index": (lost_search_index, (), False),
    "missing tag": (missing_tag, (), False),
    "wrong tag": (wrong_tag, (), False),
    "stray tag": (stray_tag, (), False),
    "wrong count": (wrong_count, (), False),
    "gone version": (gone_version, (), False),
    "truncated manifest": (truncated("raw_documents"), ("raw_documents",), False),
    "truncated texts": (truncated("parsed_documents"), ("parsed_documents",), False),
    "truncated chunks": (truncated("chunks"), ("chunks",), False),
    "truncated vectors": (truncated("embeddings"), ("embeddings",), False),
    "truncated index manifest": (truncated("vector_index"), ("vector_index",), False),
    "lost table": (lost_table, ("chunks",), False),
    "edited manifest": (edited("raw_documents", "acl", ["x"]), ("raw_documents",), False),
    "forged manifest": (
        edited("raw_documents", "acl", ["x"], manifest_digest),
        ("raw_documents",),
        False,
    ),
    "edited text of a document": (
        edited("parsed_documents", "text", "Else."),
        ("parsed_documents",),
        False,
    ),
    "edited chunk": (edited("chunks", "text", "Else."), ("chunks",), False),
    "altered stored vector": (altered_stored_vector, ("embeddings",), False),
    "lost content": (lost_blob, (), False),
    "edited content": (edited_blob, (), False),
}


def mended(platform: Platform) -> Repair:
    found = verify(platform, "all")
    assert not found.ok
    done = repair(platform, found)
    assert done.ok, done.to_dict()
    assert not done.given_up
    assert done.done
    return done


def found_by_word(platform: Platform, name: str, caller: Caller) -> set[str]:
    """The documents that the own word of a document finds, for a caller."""
    release = live(platform)
    reader = IndexReader(platform.lancedb_uri, release.table_name, release.tag)
    return set(reader.full_text(canary(name), 10, acl_condition(caller)).document_id)


@pytest.mark.parametrize("name", PLANTS)
def test_what_was_planted_is_mended_and_nothing_else_is_written(
    platform: Platform, name: str
) -> None:
    plant, tables, index = PLANTS[name]
    before_rows, before = served(platform), live(platform)
    plant(platform)
    damaged = files(platform)
    mended(platform)
    assert served(platform).equals(before_rows)
    after = live(platform)
    assert (after.id, after.manifest_sha256, after.partitions) == (
        before.id,
        before.manifest_sha256,
        before.partitions,
    )
    assert (after.chunks, after.documents) == (before.chunks, before.documents)
    touched = {name for name, stat in files(platform).items() if damaged.get(name) != stat}
    wrong = {
        name
        for name in touched
        if not (index and name.startswith("lancedb/"))
        and not (tables and name.startswith("tables/") and SHARDS[0] in name)
        and not name.startswith("blobs/")
    }
    if name == "altered stored vector":
        wrong = {item for item in wrong if not item.startswith("tables/embeddings/")}
    assert not wrong
    assert len([item for item in touched if item.startswith("blobs/")]) == ("content" in name)
    people = Caller(groups=frozenset({"people"}), authenticated=True)
    nobody = Caller(groups=frozenset(), authenticated=True)
    document = f"docs/{canary('salaries')}.md"
    assert found_by_word(platform, "salaries", people) == {document}
    assert not found_by_word(platform, "salaries", nobody)


def test_a_repair_is_recorded_and_the_old_version_is_let_go(platform: Platform) -> None:
    edited_text(platform)
    damaged = live(platform).lance_version
    mended(platform)
    release = live(platform)
    assert release.lance_version > damaged
    assert dataset(platform).tags.list()[release.tag]["version"] == release.lance_version
    event = History(platform.database).events(release.id)[-1]
    assert (event.event, event.details) == ("repaired", {"lance_version": release.lance_version})
    assert "rows were altered" in event.reason
    hits = QueryEngine(platform).search(canary("merger"), Caller.of(["board"]))
    assert hits[0].document_id == f"docs/{canary('merger')}.md"


def two_releases(platform: Platform) -> None:
    """Release once more, after an edit of one document."""
    target = next(Path(platform.settings.sources["docs"].path).glob("*salaries*"))
    target.write_text(target.read_text() + "\nOne more paragraph about the salaries.\n")
    run_stages(platform, "second")


@pytest.fixture
def twice(tmp_path: Path, model_cache: Path) -> Platform:
    platform = released(tmp_path / "twice", model_cache)
    two_releases(platform)
    return platform


def test_an_older_release_that_cannot_be_mended_is_removed_and_the_live_one_is_mended(
    twice: Platform,
) -> None:
    old = dataset(twice, "release-1").get_fragments()[0].data_files()[0].path
    assert old in {part.data_files()[0].path for part in dataset(twice).get_fragments()}
    before = served(twice)
    (table_folder(twice) / "data" / old).unlink()
    found = verify(twice, "all")
    assert sorted(kinds(found)) == ["lost_fragment", "lost_fragment"]
    done = repair(twice, found)
    assert done.ok, done.to_dict()
    older = Registry(twice.database).get(1)
    assert older is not None
    assert not older.readable
    assert set(dataset(twice).tags.list()) == {"release-2"}
    assert served(twice).equals(before)


def test_the_search_index_of_an_older_release_is_built_again(twice: Platform) -> None:
    version = dataset(twice, "release-1")
    index = next(item for item in version.describe_indices() if item.name == "embed_text_idx")
    newest = dataset(twice).version
    shutil.rmtree(table_folder(twice) / "_indices" / str(index.segments[0].uuid))
    found = verify(twice, "all")
    assert set(kinds(found)) == {"search_index"}
    done = repair(twice, found)
    assert done.ok, done.to_dict()
    older = Registry(twice.database).get(1)
    assert older is not None
    assert older.readable
    assert older.lance_version > newest
    assert verify(twice, 1).ok


def test_what_the_source_no_longer_has_is_reported(tmp_path: Path, model_cache: Path) -> None:
    platform = released(tmp_path / "own", model_cache)
    edited_blob(platform)
    found = verify(platform)
    sha256 = found.disagreements[0].ids[0]
    raw = pl.concat(
        pl.read_parquet(tables_path(platform, "raw_documents", name)) for name in SHARDS
    )
    document = raw.filter(pl.col("content_sha256") == sha256)["document_id"][0]
    path = Path(platform.settings.sources["docs"].path) / document.removeprefix("docs/")
    path.write_text("# Another text\n\nThe content that was read is gone.\n")
    done = repair(platform, found)
    assert not done.ok
    assert sha256 in done.given_up[0]
    assert "ragline ingest" in done.given_up[0]


def test_a_failed_stage_leaves_the_tables_as_they_were(platform: Platform) -> None:
    truncated("raw_documents")(platform)
    damaged = tables_path(platform, "raw_documents", SHARDS[0]).read_bytes()
    folder = Path(platform.settings.sources["docs"].path)
    moved = folder.rename(folder.with_name("moved"))
    try:
        done = repair(platform, verify(platform))
    finally:
        moved.rename(folder)
    assert not done.ok
    assert done.given_up
    assert tables_path(platform, "raw_documents", SHARDS[0]).read_bytes() == damaged
    mended(platform)
