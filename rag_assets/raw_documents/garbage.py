"""Blobs that nothing needs any more, and what interrupted writes left behind."""

import os
import re
from collections.abc import Iterator, Set
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from rag_assets.platform.platform import Platform
from rag_assets.platform.storage import TEMPORARY_SUFFIX, LocalStorage

PREFIX = "blobs/"
BLOB = re.compile(r"blobs/[0-9a-f]{2}/([0-9a-f]{64})")


class _File(NamedTuple):
    key: str
    size: int
    modified_at: datetime


def collect_blobs(platform: Platform, needed: Set[str], older_than: datetime) -> tuple[int, int]:
    """Delete blobs that are not needed, and leftovers of writes that never ended.

    Args:
        platform: the deployment.
        needed: content hashes that manifests or readable releases name.
        older_than: younger files stay: an ingest keeps the bytes before the manifest names them.

    Returns:
        How many files were deleted, and their bytes.
    """
    garbage = [
        file
        for file in _files(platform)
        if file.modified_at < older_than and _is_garbage(file.key, needed)
    ]
    for file in garbage:
        platform.storage.delete(file.key)
    return len(garbage), sum(file.size for file in garbage)


def _is_garbage(key: str, needed: Set[str]) -> bool:
    if key.endswith(TEMPORARY_SUFFIX):
        return True
    blob = BLOB.fullmatch(key)
    # what is neither a blob nor a leftover is not ours to delete
    return blob is not None and blob.group(1) not in needed


def _files(platform: Platform) -> Iterator[_File]:
    storage = platform.storage
    if isinstance(storage, LocalStorage):
        return _local_files(storage.path(PREFIX), Path(storage.root))
    return _stored_files(storage.root, platform.storage_options)


def _local_files(folder: Path, root: Path) -> Iterator[_File]:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent) / name
            try:
                found = path.stat()
            except FileNotFoundError:  # a write has just ended
                continue
            moment = datetime.fromtimestamp(found.st_mtime, UTC)
            yield _File(path.relative_to(root).as_posix(), found.st_size, moment)


def _stored_files(url: str, options: dict[str, str]) -> Iterator[_File]:
    import obstore

    from rag_assets.platform.object_store import open_store

    for batch in obstore.list(open_store(url, options), prefix=PREFIX):
        for item in batch:
            yield _File(item["path"], int(item["size"]), item["last_modified"])
