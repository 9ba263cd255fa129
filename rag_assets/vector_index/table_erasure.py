"""The eraser of the index manifest: one line a chunk, of which the release's digests are made."""

from rag_assets.chunks.erasure import passages_digests
from rag_assets.embeddings.erasure import vectors_digests
from rag_assets.erasure.base import Subject
from rag_assets.erasure.tables import Digests, Stored, TableEraser, digests, restamped, without
from rag_assets.parsed_documents.erasure import parsed_digests
from rag_assets.platform.platform import Platform
from rag_assets.raw_documents.erasure import manifest_digests

from .manifest import INDEX_MANIFEST, shard_digest
from .stage import ASSET, upstream_digest

# in the order of ``stage.UPSTREAM``
BEFORE = (manifest_digests, parsed_digests, passages_digests, vectors_digests)


class IndexManifestEraser(TableEraser):
    """Erases the document's lines; before the tables that the index was made from."""

    place = "index manifest"
    asset = ASSET

    def rewritten(
        self, platform: Platform, partition: str, table: Stored, subject: Subject
    ) -> Stored:
        document = subject.document_id
        rest = without(table.frame, document)
        own = digests(platform, ASSET, partition, document, INDEX_MANIFEST, shard_digest)
        before = [digests_of(platform, partition, document) for digests_of in BEFORE]
        upstream = Digests(
            upstream_digest([item.now for item in before]),
            upstream_digest([item.after for item in before]),
        )
        return Stored(
            rest, restamped(table.stamp, own.after, upstream.relinked(table.stamp.upstream))
        )
