"""The eraser of passages."""

from rag_assets.erasure.base import Subject
from rag_assets.erasure.tables import Digests, Stored, TableEraser, digests, restamped, without
from rag_assets.parsed_documents.erasure import parsed_digests
from rag_assets.platform.platform import Platform

from .schema import CHUNKS
from .stage import ASSET
from .transform import chunks_digest


def passages_digests(platform: Platform, partition: str, document_id: str) -> Digests:
    """The table's digest now, and without the document."""
    return digests(platform, ASSET, partition, document_id, CHUNKS, chunks_digest)


class PassagesEraser(TableEraser):
    """Erases the document's passages."""

    place = "passages"
    asset = ASSET

    def rewritten(
        self, platform: Platform, partition: str, table: Stored, subject: Subject
    ) -> Stored:
        rest = without(table.frame, subject.document_id)
        after = passages_digests(platform, partition, subject.document_id).after
        parsed = parsed_digests(platform, partition, subject.document_id)
        return Stored(rest, restamped(table.stamp, after, parsed.relinked(table.stamp.upstream)))
