"""``/v1/documents``: what is there, what became of it, removal."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query

from rag_app.access.principal import FORGET, READ, UPLOAD, Principal
from rag_app.api.dependencies import RequestId, Services, ServicesDep, require
from rag_app.api.models.documents import (
    DocumentList,
    DocumentOut,
    DocumentStatus,
    PassageOut,
    Removed,
    State,
    WholeDocument,
)
from rag_app.api.models.problem import problems
from rag_app.service.admission import Wanted, require_also
from rag_app.service.forgetting import forget_document
from rag_app.service.whole_document import whole_document
from rag_assets.releases.registry import Registry

from .search import AsOf, Release

router = APIRouter(prefix="/v1/documents", tags=["documents"])

DocumentId = Annotated[
    str,
    Path(max_length=1000, description="`<source>/<path>`; the slashes may be written as they are."),
]
Reads = Annotated[Principal, Depends(require(READ, "document.read"))]


@router.get(
    "", operation_id="list_documents", summary="Documents and their states", responses=problems()
)
def list_documents(
    principal: Annotated[Principal, Depends(require(READ, "documents.list"))],
    services: ServicesDep,
    request_id: RequestId,
    source: Annotated[str, Query(max_length=200, description="Only of this source.")] = "",
    state: Annotated[State | None, Query(description="Only in this state.")] = None,
    prefix: Annotated[str, Query(max_length=1000, description="Only ids that begin so.")] = "",
    after: Annotated[str, Query(max_length=1000, description="`next` of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=500, description="Most documents of a page.")] = 50,
) -> DocumentList:
    """The documents that the caller may read, in the order of their ids."""
    page = services.documents.page(
        principal.caller, source=source, state=state or "", prefix=prefix, after=after, limit=limit
    )
    services.audit.record(principal, "documents.list", source, "ok", request_id=request_id)
    documents = [DocumentOut.model_validate(item) for item in page.documents]
    return DocumentList(documents=documents, total=page.total, next=page.next)


@router.get(
    "/{document_id:path}/status",
    operation_id="document_status",
    summary="How far a document has come",
    responses=problems(404),
)
def document_status(
    document_id: DocumentId,
    principal: Annotated[Principal, Depends(require(READ, "document.read", cost=0))],
    services: ServicesDep,
) -> DocumentStatus:
    """Its state, as often as one likes to ask: it does not count against the limits."""
    found = services.documents.get(document_id, principal.caller)
    live = Registry(services.platform.database).live()
    state = found["state"]
    return DocumentStatus(
        document_id=document_id,
        state=state,
        reason=found["reason"],
        searchable=state == "indexed" or bool(found["stale"]),
        release_id=live.id if live else None,
    )


@router.get(
    "/{document_id:path}",
    operation_id="get_document",
    summary="The text of a document, with its passages",
    responses=problems(404),
)
def get_document(
    document_id: DocumentId,
    principal: Reads,
    services: ServicesDep,
    request_id: RequestId,
    release: Release = None,
    as_of: AsOf = "",
    start: Annotated[int, Query(ge=0, description="Only the text from this offset on.")] = 0,
    end: Annotated[int | None, Query(ge=0, description="Only the text up to this offset.")] = None,
) -> WholeDocument:
    """The document as the release has it; spans of citations are offsets in its text."""
    engine = services.engines.of(release, as_of)
    found = whole_document(engine, document_id, principal.caller, start=start, end=end)
    services.audit.record(
        principal,
        "document.read",
        document_id,
        "ok",
        release_id=found["release"]["id"],
        request_id=request_id,
    )
    passages = [PassageOut.model_validate(item) for item in found.pop("passages")]
    return WholeDocument(**found, passages=passages)


@router.delete(
    "/{document_id:path}",
    operation_id="delete_document",
    summary="Remove an uploaded document, or erase any",
    responses=problems(404, 409, 507),
)
def delete_document(
    document_id: DocumentId,
    principal: Annotated[Principal, Depends(require(READ, "document.delete"))],
    services: ServicesDep,
    request_id: RequestId,
    forget: Annotated[
        bool, Query(description="Erase every trace, retained releases included; scope forget.")
    ] = False,
    reason: Annotated[str, Query(max_length=500, description="Why; kept with the receipt.")] = "",
) -> Removed:
    """Removes an uploaded file: the next ingest drops its document (scope upload).

    With `forget`, any document is erased from the index, tables, blobs, logs and every retained
    release at once, and is not taken in again (scope forget); the receipt says what was done.
    """
    scope, action = (FORGET, "document.forget") if forget else (UPLOAD, "document.delete")
    require_also(services, principal, Wanted(scope, action, document_id), request_id)
    if forget:
        removed, receipt = _forgotten(services, principal, document_id, reason)
    else:
        removed, receipt = services.uploads.remove(document_id, principal.caller), None
    done = receipt is not None and bool(receipt["complete"])
    services.audit.record(
        principal,
        action,
        document_id,
        "failed" if forget and not done else "ok",
        request_id=request_id,
        details={"file_removed": removed},
    )
    return Removed(document_id=document_id, file_removed=removed, forgotten=done, receipt=receipt)


def _forgotten(
    services: Services, principal: Principal, document_id: str, reason: str
) -> tuple[bool, dict[str, Any]]:
    if not principal.caller.admin:
        # nobody erases, or finds out about, what they may not read
        services.documents.get(document_id, principal.caller)
    removed = services.uploads.unlink(document_id)
    return removed, forget_document(
        services.platform, document_id, actor=principal.name, reason=reason
    )
