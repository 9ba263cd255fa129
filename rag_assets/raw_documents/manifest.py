"""The transform of ``raw_documents``: the previous manifest and a source become the next manifest.

Pure but for the blobs that it keeps. A document is read only when its signature differs from that
of its row. The result does not depend on history: it is the manifest that a first run would
have made, but for signatures and the run that a row is from.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

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
)
from .schema import RAW_DOCUMENTS
from .settling import AT_ONCE, SettleRule, sizes_to_come

_NOT_CONTENT = frozenset({"run_id", "signature", "uri"})


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
        settling: documents that are still being written: they stay as they were.
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
    settling: int
    bytes_read: int


def update_manifest(
    previous: pl.DataFrame,
    source_partition: Partition,
    blobs: BlobStore,
    *,
    max_bytes: int,
    run_id: str,
    full: bool = False,
    settle: SettleRule = AT_ONCE,
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
        settle: documents that changed a moment ago stay as they were, new ones are not listed yet.
            With ``full`` only new ones wait: what is known must not keep, say, a former ACL.
        progress: called with 1 after each document.

    Returns:
        The next manifest and the counts.

    Raises:
        SourceUnavailable: the source cannot be listed; nothing may be concluded from that.
        SourceChanged: it changed too much meanwhile; try again.
        StorageFull, StorageError: a blob cannot be written.
    """
    before: dict[str, Row] = {row["document_id"]: row for row in previous.iter_rows(named=True)}
    listing = listing_of(source_partition, settle)
    known = {name: item for name, item in listing.settling.items() if name in before}
    reader = _Reader(source_partition, blobs, max_bytes, run_id)
    rows: dict[str, Row] = {}
    changed = 0
    for document_id, listed in (listing.documents | (known if full else {})).items():
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
        rows.setdefault(document_id, old)
    settling = len(listing.settling) + listing.whole
    return _summary(before, rows, changed, settling, reader.bytes_read)


def manifest_digest(frame: pl.DataFrame) -> str:
    """The fingerprint of what later stages depend on: all but run ids, signatures and URIs."""
    columns = [column for column in RAW_DOCUMENTS if column not in _NOT_CONTENT]
    # no group holds a line break, so that different ACLs never join to the same text
    joined = frame.with_columns(pl.col("acl").list.join("\n"))
    return frame_digest(joined, columns, ["document_id"])


class _Reader:
    """Reads documents, keeps their bytes and makes their rows."""

    def __init__(self, partition: Partition, blobs: BlobStore, max_bytes: int, run_id: str) -> None:
        self._partition = partition
        self._blobs = blobs
        self._max_bytes = max_bytes
        self._run_id = run_id
        self.bytes_read = 0

    def read(self, listed: Listed, old: Row | None) -> Row:
        fetched = fetch_listed(self._partition, listed, self._max_bytes)
        self.bytes_read += len(fetched.content)
        if old is not None and keeps_old(old, fetched):
            return old | {"signature": _unsettled(old["signature"])}
        sha256 = None if fetched.problem_kind else self._blobs.put(fetched.content)
        row = row_of(listed, fetched, self._partition.source_name, self._run_id, sha256)
        if old is not None and same_substance(old, row):
            row["run_id"] = old["run_id"]
        return row


def fetch_listed(partition: Partition, listed: Listed, max_bytes: int) -> Fetched:
    """Read a document, unless its listing says already that it cannot be read."""
    if listed.problem_kind:
        return failed(listed, Problem(listed.problem_kind, listed.problem or ""))
    return partition.fetch(listed, max_bytes)


def keeps_old(old: Row, fetched: Fetched) -> bool:
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
    """Rows of documents of which nothing is known at present: unknown is not deleted."""
    to_come = sizes_to_come(listing.settling.values(), before)
    for document_id, old in before.items():
        if document_id not in listing.documents and listing.keeps(
            document_id, old["size_bytes"], to_come
        ):
            yield document_id, old


def _summary(
    before: dict[str, Row], rows: dict[str, Row], changed: int, settling: int, bytes_read: int
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
        settling=settling,
        bytes_read=bytes_read,
    )
