"""Removing versions of index tables that nobody may read any more, and whole tables."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from .table import HEAD_TAG


@dataclass(frozen=True)
class CleanupFacts:
    """What a clean-up removed.

    Attributes:
        bytes: size of the files.
        versions: how many versions.
    """

    bytes: int = 0
    versions: int = 0


def purge(uri: str, table: str, storage_options: Mapping[str, str] | None = None) -> CleanupFacts:
    """Remove every version that has no tag, but for the head, and all files that only these used.

    Nobody may be writing to the table: what a commit that is under way has written goes too.

    Args:
        uri: the LanceDB folder or URL.
        table: the table's name.
        storage_options: object-store options.
    """
    stats = _dataset(uri, table, storage_options).cleanup_old_versions(
        older_than=timedelta(0), delete_unverified=True, error_if_tagged_old_versions=False
    )
    return CleanupFacts(int(stats.bytes_removed), int(stats.old_versions))


def tags(uri: str, table: str, storage_options: Mapping[str, str] | None = None) -> dict[str, int]:
    """The tags of a table and their versions, but for the one that an erasure sets for itself."""
    found = _dataset(uri, table, storage_options).tags.list()
    return {name: int(tag["version"]) for name, tag in found.items() if name != HEAD_TAG}


def versions(uri: str, table: str, storage_options: Mapping[str, str] | None = None) -> list[int]:
    """The numbers of all versions that are there, tagged or not, oldest first."""
    return sorted(int(item["version"]) for item in _dataset(uri, table, storage_options).versions())


def move_tag(
    uri: str, table: str, tag: str, version: int, storage_options: Mapping[str, str] | None = None
) -> None:
    """Let a tag that is there name another version."""
    _dataset(uri, table, storage_options).tags.update(tag, version)


def remove_tag(
    uri: str, table: str, tag: str, storage_options: Mapping[str, str] | None = None
) -> None:
    """Remove a tag that is there."""
    _dataset(uri, table, storage_options).tags.delete(tag)


def tables(uri: str, storage_options: Mapping[str, str] | None = None) -> list[str]:
    """The names of all tables."""
    found: list[str] = []
    connection = _connection(uri, storage_options)
    while True:
        page = list(connection.table_names(page_token=found[-1] if found else None, limit=100))
        found += page
        if not page:
            return found


def drop_table(
    uri: str, table: str, storage_options: Mapping[str, str] | None = None
) -> CleanupFacts:
    """Remove a table with all its versions; the bytes are those of its data and index files."""
    dataset = _dataset(uri, table, storage_options)
    removed = len(dataset.versions())
    freed = purge(uri, table, storage_options).bytes + _size(dataset)
    _connection(uri, storage_options).drop_table(table)
    return CleanupFacts(freed, removed)


def _size(dataset: Any) -> int:
    """Bytes of the data files of a version; its indices are left to the estimate of others."""
    return sum(
        int(file.file_size_bytes or 0)
        for fragment in dataset.get_fragments()
        for file in fragment.data_files()
    ) + sum(
        int(segment.size_bytes or 0)
        for index in dataset.describe_indices()
        for segment in index.segments
    )


def _dataset(uri: str, table: str, storage_options: Mapping[str, str] | None) -> Any:
    os.environ.setdefault("LANCE_LOG", "error")
    import lance

    options = dict(storage_options) if storage_options else None
    return lance.dataset(f"{uri}/{table}.lance", storage_options=options)


def _connection(uri: str, storage_options: Mapping[str, str] | None) -> Any:
    import lancedb

    return lancedb.connect(uri, storage_options=dict(storage_options) if storage_options else None)
