"""What an update of a manifest would find: the question of every tick, answered by signatures."""

import hashlib
from dataclasses import dataclass
from typing import Any

import polars as pl

from .base import UNSETTLED, Listed
from .manifest import fetch_listed, keeps_old
from .rows import Listing, Partition, listing_of, row_of, same_substance, settled, sha256_of
from .settling import AT_ONCE, SettleRule, sizes_to_come

_NO_LIMIT = 1 << 62


@dataclass(frozen=True)
class Changes:
    """What an update would find, by document id.

    Attributes:
        listed: how many documents the source lists now.
        added, changed, deleted: their ids. A rename is one added and one deleted; a touched file
            is changed (an update finds it unchanged and settles it).
        settling: new or changed documents that are still being written; in none of the others.
        digest: a fingerprint of all that is listed, settling documents apart.
    """

    listed: int
    added: frozenset[str]
    changed: frozenset[str]
    deleted: frozenset[str]
    settling: frozenset[str]
    digest: str


def scan_changes(
    previous: pl.DataFrame,
    source_partition: Partition,
    *,
    max_bytes: int | None = None,
    settle: SettleRule = AT_ONCE,
) -> Changes:
    """What an update would find, by signatures; only unsettled documents are read.

    Args:
        previous: the manifest of the partition.
        source_partition: from ``sources.open_partition``.
        max_bytes: the size limit, if documents that cross it are to count as changed.
        settle: as ``update_manifest``.

    Raises:
        SourceUnavailable, SourceChanged: as ``update_manifest``.
    """
    names = "document_id", "signature", "problem_kind", "size_bytes"
    before = {row[0]: row[1:] for row in previous.select(names).iter_rows()}
    listing = listing_of(source_partition, settle)
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
    to_come = sizes_to_come(listing.settling.values(), before)
    kept = {
        document_id
        for document_id in gone
        if listing.keeps(document_id, before[document_id][2], to_come)
    }
    settling = {
        document_id
        for document_id, listed in listing.settling.items()
        if document_id not in before
        or not settled(listed, before[document_id][0], before[document_id][1], max_bytes)
    }
    return Changes(
        listed=len(listing.documents) + len(kept),
        added=frozenset(added),
        changed=frozenset(changed),
        deleted=frozenset(gone - kept),
        settling=frozenset({source_partition.source_name} if listing.whole else settling),
        digest=_listing_digest(listing),
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


def _listing_digest(listing: Listing) -> str:
    """A fingerprint of what is listed; the same whoever computes it, and in whatever order."""
    digest = hashlib.sha256()
    for document_id, listed in sorted(listing.documents.items()):
        line = f"{document_id}\0{listed.signature}\0{listed.media_type}\n"
        digest.update(line.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


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
        fetched = fetch_listed(partition, listed, _NO_LIMIT if max_bytes is None else max_bytes)
        if keeps_old(old, fetched):
            changed.add(listed.document_id)  # still being written: an update is needed afterwards
            continue
        row = row_of(listed, fetched, partition.source_name, "", sha256_of(fetched))
        # a row that says the same of another moment is written anew too: a rebuild would say it so
        if not same_substance(old, row) or old["modified_at"] != row["modified_at"]:
            changed.add(listed.document_id)
    return changed
