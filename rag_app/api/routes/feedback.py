"""``POST /v1/feedback``: what a reader says of an answer."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from rag_app.access.principal import ANONYMOUS, FEEDBACK, Principal
from rag_app.api.dependencies import RequestId, Services, ServicesDep, require
from rag_app.api.models.problem import problems
from rag_app.api.problems import NotFound
from rag_assets.query.lineage import UnknownAnswer, lineage_of
from rag_assets.service_records.feedback import RATINGS, Feedback, FeedbackStore

router = APIRouter(prefix="/v1", tags=["feedback"])

MOST_CITATIONS = 20


class CorrectedCitation(BaseModel):
    """A passage that should have been cited."""

    model_config = ConfigDict(extra="forbid")

    document_id: str = Field(min_length=1, max_length=1000)
    quote: str | None = Field(
        default=None, max_length=4000, description="The words of it that answer, if named."
    )


class FeedbackIn(BaseModel):
    """A judgement of an answer."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"answer_id": "3f6c…", "rating": "up", "comment": ""}]},
    )

    answer_id: str = Field(min_length=1, max_length=64)
    rating: Literal["up", "neutral", "down"] = "neutral"
    comment: str = Field(default="", max_length=4000)
    citations: list[CorrectedCitation] = Field(
        default=[], max_length=MOST_CITATIONS, description="Passages that answer the question."
    )


class FeedbackOut(BaseModel):
    """What was kept."""

    feedback_id: str
    answer_id: str
    at: datetime


@router.post(
    "/feedback",
    operation_id="give_feedback",
    summary="Say what an answer was worth",
    status_code=201,
    responses=problems(404),
)
async def give_feedback(
    said: FeedbackIn,
    principal: Annotated[Principal, Depends(require(FEEDBACK))],
    services: ServicesDep,
    request_id: RequestId,
) -> FeedbackOut:
    """Kept until a person makes a golden question of it or rejects it.

    Personal data in the comment is masked (`privacy.feedback`); quotes stay as they are.
    What a caller with a name says of an answer again replaces what they said before.
    """
    return await services.workers.run(keep, services, principal, said, request_id)


def keep(
    services: Services, principal: Principal, said: FeedbackIn, request_id: str
) -> FeedbackOut:
    """Store a judgement of an answer that the caller may see.

    Raises:
        NotFound: there is no such answer for this caller.
    """
    platform = services.platform
    try:
        lineage = lineage_of(platform, said.answer_id, principal.caller)
    except UnknownAnswer as error:
        raise NotFound(error.message, error.hint) from error
    kept = Feedback(
        answer_id=said.answer_id,
        principal=principal.name,
        rating=RATINGS[said.rating],
        comment=services.comments(said.comment),
        corrected_citations=[item.model_dump() for item in said.citations],
    )
    FeedbackStore(platform.database).add(kept, replace=principal.name != ANONYMOUS)
    services.audit.record(
        principal,
        "feedback",
        said.answer_id,
        "ok",
        release_id=lineage.release.id if lineage.release else None,
        request_id=request_id,
        details={"rating": said.rating, "citations": len(said.citations)},
    )
    return FeedbackOut(feedback_id=kept.feedback_id, answer_id=kept.answer_id, at=kept.at)
