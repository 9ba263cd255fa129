"""``GET /v1/audit``: who asked or changed what."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from rag_app.access.principal import ADMIN, Principal
from rag_app.api.dependencies import RequestId, ServicesDep, require
from rag_app.api.models.problem import problems
from rag_app.service.errors import Invalid
from rag_assets.service_records.audit import AuditLog

router = APIRouter(prefix="/v1/audit", tags=["audit"])

ACTION = "audit.list"


class AuditEntryOut(BaseModel):
    """One thing that somebody did, or was refused."""

    id: int
    at: datetime
    principal: str = Field(description="Who: key:<id>, user:<subject> or anonymous.")
    action: str = Field(description="What; docs/security.md has all names.")
    target: str = Field(description="On what: an answer, document, release or key by its id.")
    release_id: int | None = Field(description="The release it was done under.")
    outcome: str = Field(description="ok, abstained, denied or failed")
    request_id: str
    details: dict[str, Any] = Field(description="Names and numbers; never a text.")


class AuditPage(BaseModel):
    """Entries, newest first."""

    entries: list[AuditEntryOut]
    next: int | None = Field(description="`before` of the next page; null on the last one.")


@router.get(
    "",
    operation_id="list_audit_entries",
    summary="Who asked or changed what",
    responses=problems(),
)
def list_audit_entries(
    principal: Annotated[Principal, Depends(require(ADMIN, ACTION))],
    services: ServicesDep,
    request_id: RequestId,
    who: Annotated[
        str, Query(alias="principal", max_length=1000, description="Only of this one.")
    ] = "",
    action: Annotated[
        str,
        Query(max_length=64, description="Only this; `release.` stands for all that begin so."),
    ] = "",
    target: Annotated[str, Query(max_length=1000, description="Only about this.")] = "",
    outcome: Annotated[
        Literal["", "ok", "abstained", "denied", "failed"], Query(description="Only these.")
    ] = "",
    since: Annotated[
        datetime | None, Query(description="From then on, included; UTC unless it says else.")
    ] = None,
    until: Annotated[datetime | None, Query(description="Up to then, not included.")] = None,
    before: Annotated[
        int | None, Query(ge=1, le=2**31 - 1, description="`next` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most entries of a page.")] = 100,
) -> AuditPage:
    """Entries of the audit log, newest first; looking at them is an entry itself."""
    log = AuditLog(services.platform.database)
    try:
        # one more tells whether there is another page
        found = log.entries(
            principal=who,
            action=action,
            target=target,
            outcome=outcome,
            since=since,
            until=until,
            before_id=before,
            limit=limit + 1,
        )
    except OverflowError as error:
        raise Invalid("A time is too far away.", "Give one like 2026-11-01T00:00:00Z.") from error
    services.audit.record(principal, ACTION, who or target, "ok", request_id=request_id)
    entries = [AuditEntryOut(**asdict(entry)) for entry in found[:limit]]
    return AuditPage(entries=entries, next=entries[-1].id if len(found) > limit else None)
