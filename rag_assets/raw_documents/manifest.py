"""The transform of ``raw_documents``: the previous manifest and a source become the next manifest.

Pure but for the blobs that it keeps. A document is read only when its signature differs from that
of its row. The result does not depend on history: it is the manifest that a first run would
have made, but for signatures and the run that a row is from.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl

from rag_assets.platform.fingerprint import frame_digest

from .base import UNSETTLED, Fetched, Listed, Problem, failed
from .rows import (
    Listing,
    Partition,
    Row,
    frame_of,
    listing_of,
    row_of,
    same_substance,
    settled,
    sha256_of,
)
from .schema import RAW_DOCUMENTS

_NOT_CONTENT = frozenset({"run_id", "signature", "uri"})
_NO_LIMIT = 1 << 62


class BlobStore(Protocol):
    """The part of ``blobs.Blobs`` that the manifest needs."""

    def put(self, content: bytes) -> str: ...


@dataclass(frozen=True)
class ManifestUpdate:
    """The next manifest and what was done.

    Attributes:
        frame: schema ``RAW_DOCUMENTS``, sorted by ``document_id``.
        listed: documents of the partition now; equals the rows of the manifest.
        added: new documents.
        changed: documents with other bytes, metadata, type or problem.
        renamed: new documents with the bytes of one that is gone; not in ``added`` or ``deleted``.
        deleted: documents that are gone.
        unchanged: the others, touched ones included.
        problems: documents that cannot be read.
        bytes_read: of documents that were read.
    """

    frame: pl.DataFrame
    listed: int
    added: int
    changed: int
    renamed: int
    deleted: int
    unchanged: int
    problems: int
    bytes_read: int


def update_manifest(
    previous: pl.DataFrame,
    source_partition: Partition,
    blobs: BlobStore,
    *,
    max_bytes: int,
    run_id: str,
    full: bool = False,
    progress: Callable[[int], None] | None = None,
) -> ManifestUpdate:
    """Bring a manifest up to date with its source; nothing is written but blobs.

    Args:
        previous: the manifest of the partition, or an empty frame of ``RAW_DOCUMENTS``.
        source_partition: from ``sources.open_partition``.
        blobs: where contents are kept.
        max_bytes: larger documents are a problem, and are not read.
        run_id: of this run.
        full: read every document, whatever its signature.
        progress: called with 1 after each document.

    Returns:
        The next manifest and the counts.

    Raises:
        SourceUnavailable: the source cannot be listed; nothing may be concluded from that.
        SourceChanged: it changed too much meanwhile; try again.
        StorageFull, StorageError: a blob cannot be written.
    """
    before: dict[str, Row] = {row["document_id"]: row for row in previous.iter_rows(named=True)}
    listing = listing_of(source_partition)
    reader = _Reader(source_partition, blobs, max_bytes, run_id)
    rows: dict[str, Row] = {}
    changed = 0
    for document_id, listed in listing.documents.items():
        old = before.get(document_id)
        if old is not None and not full and _holds(old, listed, max_bytes):
            row = _refreshed(old, listed)
        else:
            row = reader.read(listed, old)
        changed += old is not None and not same_substance(old, row)
        rows[document_id] = row
        if progress is not None:
            progress(1)
    for document_id, old in _kept(before, listing):
        rows[document_id] = old
    return _summary(before, rows, changed, reader.bytes_read)


def manifest_digest(frame: pl.DataFrame) -> str:
    """The fingerprint of what later stages depend on: all but run ids, signatures and URIs."""
    columns = [column for column in RAW_DOCUMENTS if column not in _NOT_CONTENT]
    # no group holds a line break, so that different ACLs never join to the same text
    joined = frame.with_columns(pl.col("acl").list.join("\n"))
    return frame_digest(joined, columns, ["document_id"])


@dataclass(frozen=True)
class Changes:
    """What an update would find, by document id.

    Attributes:
        listed: how many documents the source lists now.
        added, changed, deleted: their ids. A rename is one added and one deleted; a touched file
            is changed (an update finds it unchanged and settles it).
    """

    listed: int
    added: frozenset[str]
    changed: frozenset[str]
    deleted: frozenset[str]


def scan_changes(
    previous: pl.DataFrame, source_partition: Partition, *, max_bytes: int | None = None
) -> Changes:
    """What an update would find, by signatures; only unsettled documents are read.

    Args:
        previous: the manifest of the partition.
        source_partition: from ``sources.open_partition``.
        max_bytes: the size limit, if documents that cross it are to count as changed.

    Raises:
        SourceUnavailable, SourceChanged: as ``update_manifest``.
    """
    columns = [previous[name].to_list() for name in ("document_id", "signature", "problem_kind")]
    before = {
        document_id: (signature, kind)
        for document_id, signature, kind in zip(*columns, strict=True)
    }
    listing = listing_of(source_partition)
    added, unsure, changed = set(), [], set()
    for document_id, listed in listing.documents.items():
        known = before.get(document_id)
        if known is None:
            added.add(document_id)
        elif not settled(listed, known[0], known[1], max_bytes):
            if known[0].startswith(UNSETTLED):
                unsure.append(listed)
            else:
                changed.add(document_id)
    if unsure:
        changed |= _really_changed(previous, source_partition, unsure, max_bytes)
    gone = before.keys() - listing.documents.keys()
    kept = {document_id for document_id in gone if listing.covers(document_id)}
    return Changes(
        listed=len(listing.documents) + len(kept),
        added=frozenset(added),
        changed=frozenset(changed),
        deleted=frozenset(gone - kept),
    )


def pending_changes(
    previous: pl.DataFrame, source_partition: Partition, *, max_bytes: int | None = None
) -> dict[str, int]:
    """The counts of ``scan_changes``: ``listed``, ``added``, ``changed``, ``deleted``, ``unchanged``."""
    found = scan_changes(previous, source_partition, max_bytes=max_bytes)
    added, changed = len(found.added), len(found.changed)
    return {
        "listed": found.listed,
        "added": added,
        "changed": changed,
        "deleted": len(found.deleted),
        "unchanged": found.listed - added - changed,
    }


class _Reader:
    """Reads documents, keeps their bytes and makes their rows."""

    def __init__(self, partition: Partition, blobs: BlobStore, max_bytes: int, run_id: str) -> None:
        self._partition = partition
        self._blobs = blobs
        self._max_bytes = max_bytes
        self._run_id = run_id
        self.bytes_read = 0

    def read(self, listed: Listed, old: Row | None) -> Row:
        fetched = _fetch(self._partition, listed, self._max_bytes)
        self.bytes_read += len(fetched.content)
        if old is not None and _keeps_old(old, fetched):
            return old | {"signature": _unsettled(old["signature"])}
        sha256 = None if fetched.problem_kind else self._blobs.put(fetched.content)
        row = row_of(listed, fetched, self._partition.source_name, self._run_id, sha256)
        if old is not None and same_substance(old, row):
            row["run_id"] = old["run_id"]
        return row


def _fetch(partition: Partition, listed: Listed, max_bytes: int) -> Fetched:
    if listed.problem_kind:
        return failed(listed, Problem(listed.problem_kind, listed.problem or ""))
    return partition.fetch(listed, max_bytes)


def _keeps_old(old: Row, fetched: Fetched) -> bool:
    """A good version stays while its successor is still being written."""
    return fetched.problem_kind == "changed_while_reading" and old["problem_kind"] is None


def _unsettled(signature: str) -> str:
    return signature if signature.startswith(UNSETTLED) else UNSETTLED + signature


def _holds(old: Row, listed: Listed, max_bytes: int) -> bool:
    return (
        settled(listed, old["signature"], old["problem_kind"], max_bytes)
        and old["media_type"] == listed.media_type
    )


def _refreshed(old: Row, listed: Listed) -> Row:
    # the root may have been moved: same files, other URIs
    if old["uri"] == listed.uri and old["modified_at"] == listed.modified_at:
        return old
    return old | {"uri": listed.uri, "modified_at": listed.modified_at}


def _kept(before: Mapping[str, Row], listing: Listing) -> Iterator[tuple[str, Row]]:
    """Rows of documents in folders that could not be listed: unknown is not deleted."""
    for document_id, old in before.items():
        if document_id not in listing.documents and listing.covers(document_id):
            yield document_id, old


def _summary(
    before: dict[str, Row], rows: dict[str, Row], changed: int, bytes_read: int
) -> ManifestUpdate:
    added = Counter(rows[id_]["content_sha256"] for id_ in rows.keys() - before.keys())
    deleted = Counter(before[id_]["content_sha256"] for id_ in before.keys() - rows.keys())
    renamed = sum(count for sha256, count in (added & deleted).items() if sha256 is not None)
    return ManifestUpdate(
        frame=frame_of(rows.values()),
        listed=len(rows),
        added=added.total() - renamed,
        changed=changed,
        renamed=renamed,
        deleted=deleted.total() - renamed,
        unchanged=len(rows) - added.total() - changed,
        problems=sum(row["problem_kind"] is not None for row in rows.values()),
        bytes_read=bytes_read,
    )


def _really_changed(
    previous: pl.DataFrame, partition: Partition, unsure: list[Listed], max_bytes: int | None
) -> set[str]:
    """The documents with an unsettled row that differ from it, by reading them."""
    ids = pl.Series([listed.document_id for listed in unsure])
    rows = previous.filter(pl.col("document_id").is_in(ids.implode()))
    old_rows: dict[str, Any] = {row["document_id"]: row for row in rows.iter_rows(named=True)}
    changed: set[str] = set()
    for listed in unsure:
        old = old_rows[listed.document_id]
        fetched = _fetch(partition, listed, _NO_LIMIT if max_bytes is None else max_bytes)
        if _keeps_old(old, fetched):
            changed.add(listed.document_id)  # still being written: an update is needed afterwards
            continue
        row = row_of(listed, fetched, partition.source_name, "", sha256_of(fetched))
        # a row that says the same of another moment is written anew too: a rebuild would say it so
        if not same_substance(old, row) or old["modified_at"] != row["modified_at"]:
            changed.add(listed.document_id)
    return changed
