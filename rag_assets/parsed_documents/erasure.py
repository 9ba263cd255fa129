"""The eraser of parsed texts."""

from rag_assets.erasure.base import Subject
from rag_assets.erasure.tables import Digests, Stored, TableEraser, digests, restamped, without
from rag_assets.platform.platform import Platform
from rag_assets.raw_documents.erasure import manifest_digests

from .schema import PARSED_DOCUMENTS
from .stage import ASSET, next_retry_at
from .transform import parsed_digest


def parsed_digests(platform: Platform, partition: str, document_id: str) -> Digests:
    """The table's digest now, and without the document."""
    return digests(platform, ASSET, partition, document_id, PARSED_DOCUMENTS, parsed_digest)


class ParsedDocumentsEraser(TableEraser):
    """Erases the document's text, its title, and the error that its parser gave."""

    place = "parsed documents"
    asset = ASSET

    def rewritten(
        self, platform: Platform, partition: str, table: Stored, subject: Subject
    ) -> Stored:
        rest = without(table.frame, subject.document_id)
        after = parsed_digests(platform, partition, subject.document_id).after
        manifest = manifest_digests(platform, partition, subject.document_id)
        facts: dict[str, object] = {}
        if rest.height < table.frame.height and rest.schema == PARSED_DOCUMENTS:
            statuses = rest["status"]
            facts = {
                "documents_indexed": int((statuses == "parsed").sum()),
                "documents_empty": int((statuses == "empty").sum()),
                "documents_quarantined": int((statuses == "quarantined").sum()),
                "next_retry_at": next_retry_at(rest, platform.settings.parsing),
            }
        upstream = manifest.relinked(table.stamp.upstream)
        return Stored(rest, restamped(table.stamp, after, upstream, **facts))
