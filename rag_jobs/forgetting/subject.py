"""Gather what is known of a document from tables and index versions, before it is forgotten."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from rag_assets.erasure.base import Subject
from rag_assets.erasure.subject import Rows, subject_of
from rag_assets.erasure.tables import rows_of, stored, without
from rag_assets.platform.errors import IndexUnavailable
from rag_assets.platform.platform import Platform
from rag_assets.raw_documents.erasure import hashes_of_others
from rag_assets.releases.registry import Registry, Release
from rag_assets.vector_index.sql import quoted

TABLES = ("raw_documents", "parsed_documents", "chunks")
ROW_COLUMNS = ("chunk_id", "text", "embed_text", "title", "content_sha256", "embed_sha256")
OTHER_COLUMNS = ("embed_text", "title")


def gather_rows(platform: Platform, document_id: str) -> Rows:
    """Everything that tables and index versions say of a document.

    Versions that no release names are read as well: an edit that was never released may be in
    one of them.
    """
    rows = Rows()
    for asset in TABLES:
        for partition in platform.tables.partitions(asset):
            table = stored(platform, asset, partition)
            if table is not None:
                place = f"{asset} of '{partition}'"
                rows.add(rows_of(table.frame, document_id), place)
    condition = f"document_id = {quoted(document_id)}"
    for release in readable_releases(platform):
        found = version_rows(platform, release.table_name, release.tag, ROW_COLUMNS, condition)
        rows.add(found, f"release {release.id}")
    for name, version in _untagged(platform):
        try:
            found = version_rows(platform, name, version, ROW_COLUMNS, condition)
        except IndexUnavailable:
            continue  # it is being cleaned up, or is half gone: nothing names it
        rows.add(found, f"version {version} of {name}")
    return rows


def gather_subject(platform: Platform, document_id: str, rows: Rows) -> Subject:
    """The subject of an erasure, with the phrases that no other document has."""
    return subject_of(
        document_id,
        rows,
        shared_content=hashes_of_others(platform, document_id),
        others=_texts_of_others(platform, document_id),
    )


def copies_of(platform: Platform, subject: Subject) -> list[str]:
    """The ids of other documents that have the bytes of a version of this one."""
    found: set[str] = set()
    for partition in platform.tables.partitions("raw_documents"):
        table = stored(platform, "raw_documents", partition)
        if table is not None:
            others = without(table.frame, subject.document_id)
            same = pl.col("content_sha256").is_in(sorted(subject.shared_content))
            found.update(others.filter(same)["document_id"])
    return sorted(found)


def hashes_in_releases(platform: Platform, document_id: str) -> set[str]:
    """The content hashes that retained releases hold of other documents."""
    others = f"document_id != {quoted(document_id)}"
    found: set[str] = set()
    for release in readable_releases(platform):
        rows = version_rows(platform, release.table_name, release.tag, ("content_sha256",), others)
        found.update(rows["content_sha256"].drop_nulls().unique())
    return found


def readable_releases(platform: Platform) -> list[Release]:
    """The releases whose versions are kept, newest first."""
    return [release for release in Registry(platform.database).all() if release.readable]


def version_rows(
    platform: Platform,
    table: str,
    version: int | str,
    columns: tuple[str, ...],
    condition: str | None = None,
) -> pl.DataFrame:
    """Columns of the rows of one index version that satisfy a SQL condition.

    Raises:
        IndexUnavailable: the version cannot be read.
    """
    try:
        dataset = _dataset(platform, table, version)
        present = [name for name in columns if name in dataset.schema.names]
        found = pl.from_arrow(dataset.to_table(columns=present, filter=condition))
    except (OSError, ValueError, RuntimeError) as error:
        raise IndexUnavailable(
            f"Version {version} of the index table {table} cannot be read: {error}.",
            "Run 'ragline verify --all' to see what is wrong with it.",
        ) from error
    assert isinstance(found, pl.DataFrame)
    return found


def _texts_of_others(platform: Platform, document_id: str) -> Iterator[pl.Series]:
    """Texts and titles of other documents, in tables and in retained releases, batch by batch."""
    for partition in platform.tables.partitions("parsed_documents"):
        table = stored(platform, "parsed_documents", partition)
        if table is not None:
            yield from _strings(without(table.frame, document_id), ("text", "title"))
    others = f"document_id != {quoted(document_id)}"
    for release in readable_releases(platform):
        rows = version_rows(platform, release.table_name, release.tag, OTHER_COLUMNS, others)
        yield from _strings(rows, OTHER_COLUMNS)


def _strings(frame: pl.DataFrame, columns: tuple[str, ...]) -> Iterator[pl.Series]:
    for name in columns:
        if name in frame.columns:
            yield frame[name].alias("text")


def _untagged(platform: Platform) -> Iterator[tuple[str, int]]:
    """Tables and versions of the index that no tag names."""
    for name in _table_names(platform):
        try:
            dataset = _dataset(platform, name)
            tagged = {int(tag["version"]) for tag in dataset.tags.list().values()}
            versions = [int(item["version"]) for item in dataset.versions()]
        except (OSError, ValueError, RuntimeError):
            continue  # its folder is empty, or is being removed
        yield from ((name, version) for version in versions if version not in tagged)


def _table_names(platform: Platform) -> list[str]:
    """The tables of the index, whether or not a release is in them."""
    if not platform.lancedb_is_local:
        return sorted({release.table_name for release in Registry(platform.database).all()})
    folder = platform.storage.path("lancedb")
    if folder is None or not folder.is_dir():
        return []
    return sorted(path.name.removesuffix(".lance") for path in folder.glob("*.lance"))


def _dataset(platform: Platform, table: str, version: int | str | None = None) -> Any:
    import os

    os.environ.setdefault("LANCE_LOG", "error")
    import lance

    return lance.dataset(
        f"{platform.lancedb_uri}/{table}.lance",
        version=version,
        storage_options=platform.storage_options or None,
    )
