"""``GET /v1/answers/{id}/lineage``: where an answer comes from."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from rag_app.access.principal import READ, Principal
from rag_app.api.dependencies import RequestId, ServicesDep, require
from rag_app.api.models.problem import problems
from rag_assets.query.lineage import Lineage, lineage_of

router = APIRouter(prefix="/v1", tags=["questions"])


@router.get(
    "/answers/{answer_id}/lineage",
    operation_id="lineage",
    summary="Where an answer comes from",
    responses=problems(404),
)
def lineage(
    answer_id: Annotated[str, Path(max_length=64, description="`answer_id` of an answer.")],
    principal: Annotated[Principal, Depends(require(READ, "lineage"))],
    services: ServicesDep,
    request_id: RequestId,
) -> Lineage:
    """Passages, document versions, runs, configuration and release; by the caller's rights now."""
    found = lineage_of(services.platform, answer_id, principal.caller)
    services.audit.record(
        principal,
        "lineage",
        answer_id,
        "ok",
        release_id=found.release.id if found.release else None,
        request_id=request_id,
    )
    return found
