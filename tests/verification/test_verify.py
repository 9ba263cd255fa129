"""``verify`` names what was planted, and nothing else."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from rag_assets.chunks.transform import chunks_digest
from rag_assets.platform.errors import NoRelease
from rag_assets.platform.fingerprint import sha256_text
from rag_assets.platform.platform import Platform
from rag_assets.raw_documents.manifest import manifest_digest
from rag_assets.vector_index.rows import HASHED_COLUMNS, readers, row_digests
from rag_assets.vector_index.sql import quoted
from rag_assets.verification.base import Disagreement
from rag_assets.verification.verify import verify
from tests.jobs.harness import run_stages
from tests.verification.planted import (
    SHARDS,
    a_chunk,
    another_vector,
    dataset,
    edit_table,
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


def only(platform: Platform, kind: str) -> Disagreement:
    found = verify(platform, "all")
    assert kinds(found) == [kind], found.to_dict()
    assert not found.ok
    return found.disagreements[0]


def test_a_sound_deployment_agrees_in_everything(platform: Platform) -> None:
    told: list[str] = []
    found = verify(platform, progress=lambda doing, done, total: told.append(doing))
    assert found.ok, found.to_dict()
    assert (found.pending, found.skipped) == ((), ())
    release = live(platform)
    assert found.releases == (release.id,)
    assert found.compared["rows"] == found.compared["vectors"] == release.chunks
    assert found.compared["documents"] == found.compared["blobs"] == 8
    assert f"reading release {release.id}" in told


def test_a_lost_fragment_is_named_with_its_documents(platform: Platform) -> None:
    fragment = dataset(platform).get_fragments()[0]
    name = f"data/{fragment.data_files()[0].path}"
    documents = set(fragment.to_table(columns=["document_id"])["document_id"].to_pylist())
    (table_folder(platform) / name).unlink()
    found = only(platform, "lost_fragment")
    assert found.ids == (name,)
    assert f"of {len(documents)} documents" in found.what


def test_a_truncated_fragment_is_lost_as_well(platform: Platform) -> None:
    path = next((table_folder(platform) / "data").iterdir())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert only(platform, "lost_fragment").ids == (f"data/{path.name}",)


@pytest.mark.parametrize("bad", ["turned", "nan", "long"])
def test_an_altered_vector_is_named(platform: Platform, bad: str) -> None:
    chunk = a_chunk(platform)
    vector = another_vector(platform, chunk)
    if bad == "nan":
        vector = np.full_like(vector, np.nan)
    if bad == "long":
        vector = vector * 2
    smuggle(platform, rewritten(platform, chunk, vector=vector.tolist()))
    found = only(platform, "wrong_vectors")
    assert found.ids == (chunk,)
    assert ("not the vector of its text" in found.what) == (bad == "turned")


def test_a_vector_altered_in_the_table_is_not_blamed_on_the_index(platform: Platform) -> None:
    chunk = a_chunk(platform)
    row = rows(platform).filter(pl.col("chunk_id") == chunk)
    partition, sha256 = row["partition"][0], row["embed_sha256"][0]
    vector = another_vector(platform, chunk)

    def edit(frame: pl.DataFrame) -> pl.DataFrame:
        here = pl.col("embed_sha256") == sha256
        other = pl.lit(pl.Series([vector.tolist()], dtype=frame.schema["vector"]))
        return frame.with_columns(vector=pl.when(here).then(other).otherwise("vector"))

    edit_table(platform, "embeddings", partition, edit)
    found = only(platform, "wrong_stored_vectors")
    assert (found.ids, found.partition) == ((sha256,), partition)


def test_a_missing_a_wrong_and_a_stray_tag(platform: Platform) -> None:
    release = live(platform)
    tags = dataset(platform).tags
    tags.delete(release.tag)
    assert only(platform, "missing_tag").release_id == release.id
    tags.create(release.tag, release.lance_version - 1)
    assert str(release.lance_version - 1) in only(platform, "wrong_tag").what
    tags.update(release.tag, release.lance_version)
    tags.create("release-77", release.lance_version)
    assert only(platform, "stray_tag").ids == ("release-77",)


def test_a_version_that_cannot_be_opened(platform: Platform) -> None:
    set_registry(platform, live(platform).id, lance_version=999)
    assert set(kinds(verify(platform))) == {"unreadable_version", "wrong_tag"}


def test_a_truncated_table_is_named(platform: Platform) -> None:
    for asset in ("raw_documents", "parsed_documents", "chunks", "embeddings", "vector_index"):
        path = tables_path(platform, asset, SHARDS[0])
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        found = only(platform, "unreadable_table")
        assert (found.asset, found.partition) == (asset, SHARDS[0])
        path.write_bytes(whole)


def test_a_lost_table_is_named(platform: Platform) -> None:
    tables_path(platform, "chunks", SHARDS[1]).unlink()
    assert only(platform, "missing_table").asset == "chunks"


def first(column: str, value: Any) -> Any:
    def edit(frame: pl.DataFrame) -> pl.DataFrame:
        row = pl.int_range(pl.len()) == 0
        other = pl.lit(pl.Series([value], dtype=frame.schema[column]))
        return frame.with_columns(pl.when(row).then(other).otherwise(column).alias(column))

    return edit


@pytest.mark.parametrize(
    ("asset", "column", "value"),
    [
        ("raw_documents", "acl", ["everybody"]),
        ("parsed_documents", "text", "Something else."),
        ("parsed_documents", "status", "empty"),
        ("chunks", "text", "Something else."),
        ("chunks", "embed_text", "Something else."),
        ("chunks", "ordinal", 99),
        ("chunks", "token_count", 1),
        ("chunks", "heading_path", ["Elsewhere"]),
        ("vector_index", "row_sha256", "0" * 64),
        ("vector_index", "portable_sha256", "0" * 64),
    ],
)
def test_an_edited_row_of_a_table_is_found(
    platform: Platform, asset: str, column: str, value: Any
) -> None:
    edit_table(platform, asset, SHARDS[0], first(column, value))
    found = verify(platform)
    assert {item.asset for item in found.disagreements} == {asset}, found.to_dict()
    assert set(kinds(found)) == {"edited_table"}
    assert found.disagreements[0].partition == SHARDS[0]


def test_a_forged_stamp_does_not_hide_an_edited_row(platform: Platform) -> None:
    edit_table(platform, "raw_documents", SHARDS[0], first("acl", ["all"]), manifest_digest)
    assert only(platform, "edited_table").asset == "raw_documents"


def test_forged_hashes_do_not_hide_an_edited_chunk(platform: Platform) -> None:
    def forge(frame: pl.DataFrame) -> pl.DataFrame:
        frame = first("embed_text", "Something else.")(frame)
        return first("embed_sha256", sha256_text("Something else."))(frame)

    edit_table(platform, "chunks", SHARDS[0], forge, chunks_digest)
    assert only(platform, "edited_table").asset == "chunks"


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("text", "Something else.", "chunk_id"),
        ("embed_text", "Something else.", "embed_sha256"),
        ("acl", ["everybody"], "row_sha256"),
        ("readers", ["everybody"], "readers"),
        ("attribute_values", ["word=other"], "attribute_values"),
        ("title", "Another title", "row_sha256"),
    ],
)
def test_an_edited_row_of_the_index_is_named(
    platform: Platform, column: str, value: Any, why: str
) -> None:
    chunk = a_chunk(platform)
    smuggle(platform, rewritten(platform, chunk, **{column: value}))
    found = only(platform, "edited_rows")
    assert found.ids == (chunk,)
    assert why in found.what


def test_forged_hashes_do_not_hide_an_edited_row(platform: Platform) -> None:
    chunk = a_chunk(platform)
    row = rows(platform).filter(pl.col("chunk_id") == chunk)
    row = row.with_columns(acl=pl.lit(["everybody"], dtype=pl.List(pl.String)))
    row = row.with_columns(readers=readers())
    sha256 = row_digests(row, HASHED_COLUMNS)[0]
    edit = rewritten(platform, chunk, acl=["everybody"], readers=["everybody"], row_sha256=sha256)
    smuggle(platform, edit)
    assert only(platform, "edited_rows").ids == (chunk,)


def test_a_removed_row_and_a_duplicate_are_named(platform: Platform) -> None:
    chunk = a_chunk(platform)
    row = dataset(platform).to_table(filter=f"chunk_id = {quoted(chunk)}")
    smuggle(platform, lambda target: target.delete(f"chunk_id = {quoted(chunk)}"))
    assert only(platform, "lost_rows").ids == (chunk,)

    def twice(target: Any) -> None:
        target.insert(row)
        target.insert(row)

    smuggle(platform, twice)
    assert only(platform, "duplicate_rows").ids == (chunk,)


def test_a_lost_or_altered_content_is_named(platform: Platform) -> None:
    blobs = sorted((Path(platform.settings.home_location) / "blobs").glob("*/*"))
    whole = blobs[0].read_bytes()
    blobs[0].write_bytes(whole.replace(b"the", b"teh"))
    assert only(platform, "edited_blobs").ids == (blobs[0].name,)
    blobs[0].unlink()
    assert only(platform, "missing_blobs").ids == (blobs[0].name,)


def test_lost_index_files_are_named(platform: Platform) -> None:
    for index in dataset(platform).describe_indices():
        folder = table_folder(platform) / "_indices" / str(index.segments[0].uuid)
        moved = folder.with_name("moved")
        shutil.copytree(folder, moved)
        shutil.rmtree(folder)
        assert only(platform, "search_index").ids == (index.name,)
        moved.rename(folder)


def test_wrong_numbers_in_the_registry(platform: Platform) -> None:
    release = live(platform)
    set_registry(platform, release.id, chunks=release.chunks + 1)
    counted = only(platform, "registry_counts").counted
    assert counted == {"chunks": release.chunks, "documents": release.documents}
    set_registry(platform, release.id, chunks=release.chunks, manifest_sha256="0" * 64)
    counted = only(platform, "manifest_hash").counted
    assert counted == {"manifest_sha256": release.manifest_sha256}
    same = {"manifest_sha256": release.manifest_sha256}
    set_registry(platform, release.id, partitions=dict.fromkeys(SHARDS, "0"), **same)
    assert only(platform, "shard_digest").ids == SHARDS


def test_the_live_release_is_the_one_that_went_live_last(platform: Platform) -> None:
    set_registry(platform, live(platform).id, status="retired")
    assert only(platform, "live_release").repair == ""


def test_work_that_is_outstanding_is_no_disagreement(platform: Platform) -> None:
    edit_table(platform, "raw_documents", SHARDS[0], lambda frame: frame[:1], manifest_digest)
    tables = platform.tables
    stamp = tables.stamp("raw_documents", SHARDS[0])
    assert stamp is not None
    frame = pl.read_parquet(tables_path(platform, "raw_documents", SHARDS[0]))
    later = stamp.__class__(stamp.digest, "", stamp.fingerprint, "another run", stamp.written_at)
    tables.write("raw_documents", SHARDS[0], frame, later)
    found = verify(platform)
    assert found.ok, found.to_dict()
    assert "ragline ingest" in found.pending[0]


def test_releases_that_are_not_there_or_were_removed_are_refused(platform: Platform) -> None:
    with pytest.raises(NoRelease):
        verify(platform, 99)


def test_older_releases_are_read_against_their_own_hashes(tmp_path: Path, sound: Platform) -> None:
    platform = released(tmp_path / "own", Path(sound.settings.home_location) / "models", 1)
    documents = Path(platform.settings.sources["docs"].path)
    target = next(documents.glob("*salaries*"))
    target.write_text(target.read_text() + "\nOne more paragraph about the salaries.\n")
    run_stages(platform, "second")
    found = verify(platform, "all")
    assert found.ok, found.to_dict()
    assert found.releases == (2, 1)


def test_the_manifest_hash_depends_on_documents_and_configuration_only(
    sound: Platform, tmp_path: Path
) -> None:
    other = released(tmp_path / "elsewhere", Path(sound.settings.home_location) / "models", 3)
    assert live(other).partitions.keys() != live(sound).partitions.keys()
    assert live(other).manifest_sha256 == live(sound).manifest_sha256
