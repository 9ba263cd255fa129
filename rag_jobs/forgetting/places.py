"""The places where documents leave traces, in the order in which they are erased.

Places that only repeat what others say come first; those that the text is known from come last, so
that an interrupted erasure still knows what to look for.
"""

from collections.abc import Callable

from rag_assets.erasure.base import Eraser

from .subject import hashes_in_releases

Progress = Callable[[str, int, int], None]


def all_erasers() -> list[Eraser]:
    """Every eraser, in the order in which they work; nothing is opened yet."""
    # none of this is needed before something is forgotten
    from evals.erasure import evaluation_erasers
    from rag_assets.chunks.erasure import PassagesEraser
    from rag_assets.embeddings.erasure import VectorsEraser
    from rag_assets.parsed_documents.erasure import ParsedDocumentsEraser
    from rag_assets.query.erasure import CachedAnswersEraser, QueryLogEraser
    from rag_assets.raw_documents.erasure import BlobEraser, ManifestEraser
    from rag_assets.releases.erasure import IndexEraser
    from rag_assets.service_records.erasure import AuditLogEraser, FeedbackEraser
    from rag_assets.vector_index.table_erasure import IndexManifestEraser

    from .event_log import EventLogEraser

    return [
        CachedAnswersEraser(),
        EventLogEraser(),
        AuditLogEraser(),
        FeedbackEraser(),
        # they know by the query log which answers were made from the document
        *evaluation_erasers(),
        QueryLogEraser(),
        IndexEraser(),
        # every table names the digest of the one before it: from the last to the first
        IndexManifestEraser(),
        VectorsEraser(),
        PassagesEraser(),
        ParsedDocumentsEraser(),
        BlobEraser(hashes_in_releases),
        ManifestEraser(),
    ]
