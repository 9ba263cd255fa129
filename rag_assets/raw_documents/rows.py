"""Rows of the manifest: made from what a source gave, compared with what was there before."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import polars as pl

from rag_assets.platform.fingerprint import canonical_json

from .base import UNSETTLED, Fetched, Listed
from .schema import RAW_DOCUMENTS
from .settling import AT_ONCE, SettleRule

Row = dict[str, Any]

# what a document is; the other columns say where it lies, when it was written and how it was seen
_SUBSTANCE = (
    "content_sha256",
    "title",
    "acl",
    "attributes",
    "media_type",
    "size_bytes",
    "problem_kind",
    "problem",
)
# a row with one of these holds only while the listing still says so
_SEEN_IN_LISTINGS = frozenset(
    {"path_escapes_root", "bad_name", "not_a_file", "bad_record", "duplicate_id"}
)


class Partition(Protocol):
    """The part of ``sources.SourcePartition`` that the manifest needs."""

    @property
    def source_name(self) -> str: ...
    def owns(self, document_id: str) -> bool: ...
    def changed_at(self) -> datetime | None: ...
    def list(self) -> Iterable[Listed]: ...
    def fetch(self, listed: Listed, max_bytes: int) -> Fetched: ...


@dataclass(frozen=True)
class Listing:
    """A finished listing of a partition.

    Attributes:
        documents: of this partition, by id.
        covered: prefixes of ids below which nothing could be listed.
        owns: whether a document may be in the partition at all.
        settling: documents that are still being written, by id; they are not in ``documents``.
        whole: the one file of all documents is still being written; nothing is known of them.
    """

    documents: dict[str, Listed]
    covered: tuple[str, ...]
    owns: Callable[[str], bool]
    settling: dict[str, Listed] = field(default_factory=dict)
    whole: bool = False

    def covers(self, document_id: str) -> bool:
        """Whether nothing is known of the document, e.g. in a folder that could not be listed."""
        return document_id.startswith(self.covered) and self.owns(document_id)

    def keeps(self, document_id: str, size: int, to_come: frozenset[int]) -> bool:
        """Whether a row stays although the listing does not show its document as settled.

        Args:
            document_id, size: of the row.
            to_come: from ``settling.sizes_to_come``.
        """
        if document_id in self.settling or self.covers(document_id):
            return True
        return size in to_come and self.owns(document_id)


def listing_of(partition: Partition, settle: SettleRule = AT_ONCE) -> Listing:
    """List a partition to the end, so that no half listing is ever taken for the whole.

    Args:
        partition: from ``sources.open_partition``.
        settle: which documents are to be left alone.
    """
    documents: dict[str, Listed] = {}
    settling: dict[str, Listed] = {}
    covered: list[str] = []
    unknown = Listing({}, ("",), partition.owns, whole=True)
    if settle.waits(partition.changed_at()):
        return unknown
    for listed in partition.list():
        if listed.covers:
            covered.append(listed.document_id + "/")
            if not partition.owns(listed.document_id):
                continue
        if settle.waits(listed.changed_at) and not listed.covers:
            settling[listed.document_id] = listed
        else:
            documents[listed.document_id] = listed
    # a writer may have begun, emptied the file and paused while it was listed
    if settle.waits(partition.changed_at()):
        return unknown
    return Listing(documents, tuple(covered), partition.owns, settling)


def row_of(listed: Listed, fetched: Fetched, source: str, run_id: str, sha256: str | None) -> Row:
    """The row of a document that was read, or of its problem."""
    return {
        "document_id": listed.document_id,
        "source": source,
        "uri": listed.uri,
        "media_type": fetched.media_type,
        "size_bytes": fetched.size_bytes,
        "modified_at": fetched.modified_at,
        "content_sha256": None if fetched.problem_kind else sha256,
        "title": fetched.title,
        "acl": fetched.acl,
        "attributes": canonical_json(fetched.attributes),
        "signature": fetched.signature,
        "problem_kind": fetched.problem_kind,
        "problem": fetched.problem,
        "run_id": run_id,
    }


def sha256_of(fetched: Fetched) -> str | None:
    """The hash of what was read; ``None`` for a problem."""
    return None if fetched.problem_kind else hashlib.sha256(fetched.content).hexdigest()


def same_substance(row: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two rows of a document say the same about it, times and places apart."""
    return all(row[column] == other[column] for column in _SUBSTANCE)


def settled(
    listed: Listed, signature: str, problem_kind: str | None, max_bytes: int | None
) -> bool:
    """Whether a row with this signature certainly still holds, so that nothing needs to be read.

    Args:
        listed: the document now.
        signature: of the row.
        problem_kind: of the row.
        max_bytes: the size limit now (a document may have come under or over it).
    """
    if signature != listed.signature or signature.startswith(UNSETTLED):
        return False
    if listed.problem_kind or problem_kind in _SEEN_IN_LISTINGS:
        return problem_kind == listed.problem_kind
    if max_bytes is None:
        return True
    return (problem_kind == "too_large") == (listed.size_bytes > max_bytes)


def frame_of(rows: Iterable[Row]) -> pl.DataFrame:
    """The manifest with these rows, sorted by document id."""
    ordered = sorted(rows, key=lambda row: str(row["document_id"]))
    columns = {name: [row[name] for row in ordered] for name in RAW_DOCUMENTS}
    return pl.DataFrame(columns, schema=RAW_DOCUMENTS)
