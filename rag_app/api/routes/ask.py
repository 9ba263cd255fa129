"""``POST /v1/ask``: an answer with citations, whole or as it is written."""

from fastapi import APIRouter

from rag_app.api.dependencies import Reader, ServicesDep
from rag_app.api.models.answers import AnswerOut, Question
from rag_app.api.models.problem import problems
from rag_assets.query.answer import Answer

from .search import AsOf, Release

router = APIRouter(prefix="/v1", tags=["questions"])


@router.post(
    "/ask", operation_id="ask", summary="Answer a question with citations", responses=problems(404)
)
async def ask(
    question: Question,
    principal: Reader,
    services: ServicesDep,
    release: Release = None,
    as_of: AsOf = "",
) -> AnswerOut:
    """An answer from the released index, or that nothing in it supports one."""

    def answered() -> Answer:
        return services.engines.of(release, as_of).ask(
            question.question,
            principal.caller,
            question.limit,
            filter=question.filter,
            task=question.task,
            answerer=question.answerer,
        )

    return AnswerOut.model_validate(await services.workers.run(answered))
