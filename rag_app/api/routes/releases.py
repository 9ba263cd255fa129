"""``/v1/releases``: which there are, and what a person may do to them."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Query

from rag_app.access.principal import READ, RELEASES, Principal
from rag_app.api.dependencies import Reader, RequestId, Services, ServicesDep, require
from rag_app.api.models.problem import problems
from rag_app.api.models.releases import (
    HoldOut,
    Promotion,
    ReleaseDetails,
    ReleaseList,
    ReleaseOut,
    Rollback,
)
from rag_app.service.release_views import PAGE, release_details, release_list, release_view
from rag_assets.platform.errors import RaglineError
from rag_assets.releases.operations import promote_release, roll_back
from rag_assets.releases.registry import Release

router = APIRouter(prefix="/v1/releases", tags=["releases"])

ReleaseId = Annotated[int, Path(ge=1, le=2**31 - 1, description="The release's id.")]
Promotes = Annotated[Principal, Depends(require(RELEASES, "release.promote"))]
RollsBack = Annotated[Principal, Depends(require(RELEASES, "release.rollback"))]


@router.get(
    "", operation_id="list_releases", summary="The releases of the index", responses=problems()
)
def list_releases(
    principal: Reader,
    services: ServicesDep,
    readable: Annotated[bool, Query(description="Only what can still be asked.")] = False,
    before: Annotated[
        int | None, Query(ge=1, le=2**31 - 1, description="`next` of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="Most releases of a page.")] = PAGE,
) -> ReleaseList:
    """Newest first."""
    found = release_list(
        services.platform, principal, before=before, limit=limit, readable=readable
    )
    hold = found.pop("hold")
    return ReleaseList(hold=HoldOut.model_validate(hold) if hold else None, **found)


@router.get(
    "/{release_id}",
    operation_id="get_release",
    summary="One release, its gates and its history",
    responses=problems(404),
)
def get_release(
    release_id: ReleaseId,
    principal: Annotated[Principal, Depends(require(READ))],
    services: ServicesDep,
) -> ReleaseDetails:
    """What its gates said, and what happened to it."""
    return ReleaseDetails(**release_details(services.platform, release_id, principal))


@router.post(
    "/{release_id}/promote",
    operation_id="promote_release",
    summary="Make a release live by hand",
    responses=problems(404, 409, 507),
)
def promote(
    release_id: ReleaseId,
    principal: Promotes,
    services: ServicesDep,
    request_id: RequestId,
    asked: Annotated[Promotion | None, Body()] = None,
) -> ReleaseOut:
    """One that waits, was rejected (with `accept` and `reason`), or was live before."""
    asked = asked or Promotion()

    def act() -> Release:
        return promote_release(
            services.platform,
            release_id,
            accept=tuple(asked.accept),
            actor=principal.name,
            reason=asked.reason,
        )

    return _done(services, principal, "release.promote", release_id, request_id, act)


@router.post(
    "/{release_id}/rollback",
    operation_id="roll_back",
    summary="Go back to an earlier release",
    responses=problems(404, 409, 507),
)
def rollback(
    release_id: ReleaseId,
    principal: RollsBack,
    services: ServicesDep,
    request_id: RequestId,
    asked: Annotated[Rollback | None, Body()] = None,
) -> ReleaseOut:
    """Make a release live again that was live before, and hold promotions back."""
    reason = asked.reason if asked else ""

    def act() -> Release:
        return roll_back(services.platform, release_id, actor=principal.name, reason=reason)

    return _done(services, principal, "release.rollback", release_id, request_id, act)


def _done(
    services: Services,
    principal: Principal,
    action: str,
    release_id: int,
    request_id: str,
    act: Callable[[], Release],
) -> ReleaseOut:
    """Change what is live, and record it, refused attempts included."""
    try:
        release = act()
    except RaglineError as error:
        services.audit.record(
            principal,
            action,
            str(release_id),
            "failed",
            release_id=release_id,
            request_id=request_id,
            details={"error": type(error).__name__},
        )
        raise
    services.audit.record(
        principal, action, str(release_id), "ok", release_id=release_id, request_id=request_id
    )
    return ReleaseOut(**release_view(release, principal))
