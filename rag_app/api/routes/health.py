"""Whether the process is alive, and whether it could answer a question now."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from rag_app.api.dependencies import ServicesDep
from rag_app.service.workers import whole_seconds

router = APIRouter(tags=["health"])

RETRY_SECONDS = 5.0


class Alive(BaseModel):
    """The process runs."""

    status: Literal["alive"] = "alive"


class Check(BaseModel):
    """One thing that an answer needs."""

    ok: bool
    problem: str = Field(description="What is wrong, by its name; empty when it is well.")


class Ready(BaseModel):
    """Whether a question could be answered now."""

    ready: bool
    release_id: int | None = Field(description="The release that answers.")
    checks: dict[str, Check] = Field(description="database, release, index; in this order.")
    missing: list[str] = Field(description="What an answer needs and does not have.")


@router.get("/healthz", operation_id="health", summary="Whether the process is alive")
async def healthz() -> Alive:
    """Says nothing of what the process needs: restarting it would not bring that back."""
    return Alive()


@router.get(
    "/readyz",
    operation_id="ready",
    summary="Whether a question could be answered now",
    responses={503: {"model": Ready, "description": "Not now; the body says what is missing."}},
)
async def readyz(services: ServicesDep, response: Response) -> Ready:
    """Searches the live release, at most once a second."""
    state = await services.readiness.look()
    if state.missing:
        response.status_code = 503
        response.headers["Retry-After"] = whole_seconds(RETRY_SECONDS)
    return Ready(
        ready=not state.missing,
        release_id=state.release_id,
        checks={
            name: Check(ok=not problem, problem=problem) for name, problem in state.problems.items()
        },
        missing=state.missing,
    )
