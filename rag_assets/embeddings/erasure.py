"""The eraser of vectors: a vector gives away much of the text it was computed from."""

import polars as pl

from rag_assets.chunks.erasure import passages_digests
from rag_assets.chunks.schema import CHUNKS
from rag_assets.erasure.base import Erased, Subject
from rag_assets.erasure.tables import Digests, Stored, TableEraser, restamped, stored, without
from rag_assets.platform.platform import Platform
from rag_assets.raw_documents.sources import parse_partition

from .stage import ASSET
from .transform import embeddings_digest


def vectors_digests(platform: Platform, partition: str, document_id: str) -> Digests:
    """The table's digest now, and without the document: that of the texts its shard's chunks have."""
    table = stored(platform, ASSET, partition)
    return Digests() if table is None else _digests(platform, partition, table, document_id)


class VectorsEraser(TableEraser):
    """Erases the vectors of texts that no other document has, in every shard.

    Vectors that no chunk uses carry no name: those that are kept in the shards of the document's
    source may be of an older version of it, so they all go. They are a cache.
    """

    place = "vectors"
    asset = ASSET

    def erase(self, platform: Platform, subject: Subject) -> Erased:
        used = _used(platform, subject.document_id)
        return _Erasing(used).erase(platform, subject)

    def traces(self, platform: Platform, table: Stored, subject: Subject) -> int:
        gone = subject.embed_sha256 - _used(platform, subject.document_id)
        return table.frame.filter(_is_in("embed_sha256", gone)).height


class _Erasing(TableEraser):
    """One erasure, which knows what other documents use."""

    place = VectorsEraser.place
    asset = ASSET

    def __init__(self, used: set[str]) -> None:
        self._used = used

    def rewritten(
        self, platform: Platform, partition: str, table: Stored, subject: Subject
    ) -> Stored:
        gone = _is_in("embed_sha256", subject.embed_sha256 - self._used)
        if _source(partition) == subject.document_id.partition("/")[0]:
            gone |= pl.col("unused_since").is_not_null() & ~_is_in("embed_sha256", self._used)
        rest = table.frame.filter(~gone)
        own = _digests(platform, partition, table, subject.document_id)
        chunks = passages_digests(platform, partition, subject.document_id)
        return Stored(
            rest, restamped(table.stamp, own.after, chunks.relinked(table.stamp.upstream))
        )


def _digests(platform: Platform, partition: str, table: Stored, document_id: str) -> Digests:
    now = table.stamp.digest
    chunks = stored(platform, "chunks", partition)
    if chunks is None or chunks.frame.schema != CHUNKS:
        return Digests(now, now)
    rest = without(chunks.frame, document_id)
    if rest.height == chunks.frame.height:
        return Digests(now, now)
    # the encoder that the stamp speaks of, whatever is configured now
    for encoder in [*table.frame["encoder"].unique().sort(), ""]:
        if now == embeddings_digest(chunks.frame, encoder):
            return Digests(now, embeddings_digest(rest, encoder))
        if now == embeddings_digest(rest, encoder):
            return Digests(now, now)
    return Digests(now, now)  # behind its chunks, and so pending


def _used(platform: Platform, document_id: str) -> set[str]:
    """The hashes of texts that chunks of other documents have, in any shard."""
    found: set[str] = set()
    for partition in platform.tables.partitions("chunks"):
        table = stored(platform, "chunks", partition)
        if table is not None and "embed_sha256" in table.frame.columns:
            found.update(without(table.frame, document_id)["embed_sha256"].drop_nulls())
    return found


def _is_in(column: str, values: set[str] | frozenset[str]) -> pl.Expr:
    return pl.col(column).is_in(pl.Series(sorted(values), dtype=pl.String).implode())


def _source(partition: str) -> str:
    return parse_partition(partition)[0]
