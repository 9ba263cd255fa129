"""Erasers of the manifest and of the blobs."""

from collections.abc import Callable

import polars as pl

from rag_assets.erasure.base import Erased, Found, Subject
from rag_assets.erasure.tables import (
    Digests,
    Stored,
    TableEraser,
    all_shards_locked,
    digests,
    remove_leftovers,
    restamped,
    stored,
    without,
)
from rag_assets.platform.platform import Platform
from rag_assets.platform.wording import counted

from .blobs import Blobs
from .manifest import manifest_digest
from .schema import RAW_DOCUMENTS
from .sources import partition_keys

ASSET = "raw_documents"
PREFIX = "blobs/"


def manifest_digests(platform: Platform, partition: str, document_id: str) -> Digests:
    """The manifest's digest now, and without the document."""
    return digests(platform, ASSET, partition, document_id, RAW_DOCUMENTS, manifest_digest)


class ManifestEraser(TableEraser):
    """Erases the document's row from the manifest; the last of all, for it names the blobs."""

    place = "manifest"
    asset = ASSET

    def rewritten(
        self, platform: Platform, partition: str, table: Stored, subject: Subject
    ) -> Stored:
        rest = without(table.frame, subject.document_id)
        after = manifest_digests(platform, partition, subject.document_id).after
        return Stored(rest, restamped(table.stamp, after, table.stamp.upstream))


class BlobEraser:
    """Erases the bytes of every version of the document.

    Bytes that no manifest and no retained release name go too: which document an older version
    belonged to is recorded nowhere else, so each of them may be one of this document.

    Args:
        retained: gives the content hashes that retained releases hold of other documents.
    """

    place = "blobs"

    def __init__(self, retained: Callable[[Platform, str], set[str]]) -> None:
        self._retained = retained

    def find(self, platform: Platform, subject: Subject) -> Found:
        """Count the blobs of its versions that no other document has too."""
        needed = self._needed(platform, subject)
        traces = [
            sha256
            for sha256 in subject.content_sha256 - needed
            if platform.storage.size(Blobs.key(sha256)) is not None
        ]
        blobs = sum(1 for _ in platform.storage.list(PREFIX))
        return Found(counted(blobs, "blob"), len(traces))

    def erase(self, platform: Platform, subject: Subject) -> Erased:
        """Remove them, and everything that nothing needs."""
        shards = [*partition_keys(platform.settings), *platform.tables.partitions(ASSET)]
        with all_shards_locked(platform, shards):  # whoever keeps new bytes holds one of them
            needed = self._needed(platform, subject)
            stale = [
                key for key in platform.storage.list(PREFIX) if key.rpartition("/")[2] not in needed
            ]
            for key in stale:
                platform.storage.delete(key)
            leftovers = remove_leftovers(platform, PREFIX)
        shared = len(subject.content_sha256 & needed)
        kept = f"the bytes of {shared} of its versions are also those of other documents"
        return Erased(len(stale) + leftovers, (kept,) if shared else ())

    def _needed(self, platform: Platform, subject: Subject) -> set[str]:
        return hashes_of_others(platform, subject.document_id) | self._retained(
            platform, subject.document_id
        )


def hashes_of_others(platform: Platform, document_id: str) -> set[str]:
    """Content hashes that other documents have in a manifest, or that still serve for them."""
    found: set[str] = set()
    for asset, column in (
        (ASSET, "content_sha256"),
        ("parsed_documents", "content_sha256"),
        ("parsed_documents", "served_sha256"),
    ):
        for partition in platform.tables.partitions(asset):
            table = stored(platform, asset, partition)
            if table is not None and column in table.frame.columns:
                values: pl.Series = without(table.frame, document_id)[column]
                found.update(values.drop_nulls())
    return found
