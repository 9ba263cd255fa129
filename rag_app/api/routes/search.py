"""``POST /v1/search``: passages or documents, without an answer."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from rag_app.access.principal import READ, Principal
from rag_app.api.dependencies import Services, require, services_of
from rag_app.api.models.answers import HitOut, ReleaseInfo, SearchOut, SearchQuery
from rag_app.api.models.problem import problems
from rag_app.api.request_ids import request_id_of
from rag_assets.query.access import Caller

router = APIRouter(prefix="/v1", tags=["questions"])

# SQLite and PostgreSQL count so far
Release = Annotated[
    int | None,
    Query(ge=1, le=2**31 - 1, description="Read this release instead of the live one."),
]
AsOf = Annotated[
    str,
    Query(
        description="Read the release that was live then: 2026-11-20 (the end of that day, UTC), "
        "2026-11-20T14:30+01:00, yesterday, 3 days ago.",
    ),
]


@router.post(
    "/search",
    operation_id="search",
    summary="Find passages or documents",
    responses=problems(404),
)
async def search(
    query: SearchQuery,
    principal: Annotated[Principal, Depends(require(READ, "search"))],
    request: Request,
    release: Release = None,
    as_of: AsOf = "",
) -> SearchOut:
    """The passages of the released index that fit best and that the caller may read."""
    services = services_of(request)
    result = await services.workers.run(
        found, services, query, principal.caller, release=release, as_of=as_of
    )
    services.audit.record(
        principal,
        "search",
        "",
        "ok",
        release_id=result.release.id,
        request_id=request_id_of(request.scope),
        details={"hits": len(result.hits)},
    )
    return result


def found(
    services: Services,
    query: SearchQuery,
    caller: Caller,
    *,
    release: int | None = None,
    as_of: str = "",
) -> SearchOut:
    """Search, and give what was found its form on the wire."""
    engine = services.engines.of(release, as_of)
    if query.documents:
        retrieval, documents = engine.retrieve_documents(
            query.query, caller, query.limit, filter=query.filter
        )
        hits = [document.hit for document in documents]
    else:
        retrieval = engine.retrieve(query.query, caller, filter=query.filter, limit=query.limit)
        hits = retrieval.hits
    return SearchOut(
        # of the release that was searched: another one may be live by now
        release=ReleaseInfo.model_validate(engine.release_info(retrieval.snapshot)),
        hits=[HitOut.model_validate(hit) for hit in hits],
        degraded=retrieval.degraded,
        timings_ms=retrieval.timings_ms,
    )
