"""What the chat page has to know of who has opened it."""

from typing import Any

from rag_app.access.errors import Unauthorized
from rag_app.access.principal import FEEDBACK, READ, RELEASES, UPLOAD
from rag_app.service.services import Services
from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller, readable
from rag_assets.raw_documents.schema import RAW_DOCUMENTS

ASSET = "raw_documents"


def reader_of(services: Services, authorization: str | None) -> dict[str, Any]:
    """What this reader may do, and the sources with documents that they may read.

    Args:
        services: of the process.
        authorization: the header of the request; without a valid one, only that a key is needed.
    """
    settings = services.platform.settings
    state: dict[str, Any] = {
        "authentication": settings.auth.enabled,
        "identified": False,
        "may_ask": False,
        "may_upload": False,
        "may_give_feedback": False,
        "may_see_quality": settings.auth.enabled,
        "sources": [],
    }
    try:
        principal = services.authenticator.principal(authorization)
    except Unauthorized:
        return state
    reads = principal.allows(READ)
    return state | {
        "identified": True,
        "may_ask": reads,
        "may_upload": bool(settings.server.uploads_source) and principal.allows(UPLOAD),
        "may_give_feedback": principal.allows(FEEDBACK),
        "may_see_quality": principal.allows(RELEASES),
        "sources": readable_sources(services.platform, principal.caller) if reads else [],
    }


def readable_sources(platform: Platform, caller: Caller) -> list[str]:
    """Names of the sources with at least one document that the caller may read."""
    names: set[str] = set()
    for partition in platform.tables.partitions(ASSET):
        rows = platform.tables.read(ASSET, partition, RAW_DOCUMENTS)
        names.update(rows.filter(readable(caller)).get_column("source").unique())
    return sorted(names)
