"""Erasing a document on behalf of a caller."""

from typing import Any

from rag_assets.platform.database import unhurried
from rag_assets.platform.platform import Platform

from .errors import NotFound


def forget_document(
    platform: Platform, document_id: str, *, actor: str, reason: str
) -> dict[str, Any]:
    """Erase every trace of a document; blocks until that is done.

    Args:
        platform: the deployment.
        document_id: of the document.
        actor: who asks.
        reason: why; it stays in the request.

    Returns:
        the receipt: what was searched and removed, place by place.

    Raises:
        NotFound: nothing is known of the document.
        AlreadyRunning: an ingest or another erasure is at work.
    """
    from rag_jobs.forgetting.forget import UnknownDocument, forget

    try:
        with unhurried():  # tables are written anew
            request = forget(platform, document_id, actor=actor, reason=reason)
    except UnknownDocument as error:
        raise NotFound(error.message, error.hint) from error
    return request.receipt or {"complete": False}
