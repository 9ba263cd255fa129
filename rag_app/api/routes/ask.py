"""``POST /v1/ask``: an answer with citations, whole or as it is written."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from sse_starlette import ServerSentEvent

from rag_app.access.principal import READ, Principal
from rag_app.api.dependencies import Services, require, services_of
from rag_app.api.models.answers import AnswerOut, Question
from rag_app.api.models.problem import problems
from rag_app.api.problems import problem_of
from rag_app.api.request_ids import request_id_of
from rag_app.api.streaming import PATIENCE_SECONDS, begun, event_response, unless_gone
from rag_app.service import asking
from rag_app.service.asking import Asked
from rag_assets.query.answer import Answer, Token
from rag_assets.query.answering import Event, Reset

from .search import AsOf, Release

router = APIRouter(prefix="/v1", tags=["questions"])

STREAM_EXAMPLE = (
    'event: token\ndata: {"text": "Up to "}\n\n'
    'event: citations\ndata: {"citations": [{"marker": "1", "...": "..."}]}\n\n'
    'event: usage\ndata: {"usage": {"prompt_tokens": 0, "...": "..."}}\n\n'
    'event: timings\ndata: {"timings_ms": {"total": 12.5}}\n\n'
    'event: done\ndata: {"answer_id": "...", "answer": "...", "...": "..."}\n\n'
)
STREAM = {
    "description": "The answer; with `stream`, events: token, reset, citations, usage, timings, "
    "done (the whole answer), or error (a problem document).",
    "content": {
        "text/event-stream": {"schema": {"type": "string"}, "example": STREAM_EXAMPLE},
    },
}


@router.post(
    "/ask",
    operation_id="ask",
    summary="Answer a question with citations",
    response_model=AnswerOut,
    responses={200: STREAM, **problems(404)},
)
async def ask(
    question: Question,
    principal: Annotated[Principal, Depends(require(READ, "ask", question=True))],
    request: Request,
    release: Release = None,
    as_of: AsOf = "",
) -> Any:
    """An answer from the released index, or that nothing in it supports one."""
    services = services_of(request)
    asked = Asked(
        principal=principal,
        request_id=request_id_of(request.scope),
        release=release,
        as_of=as_of,
        **question.model_dump(exclude={"stream"}),
    )
    if question.stream:
        return await streamed(services, asked, request)
    found = await unless_gone(request, asking.answer(services, asked))
    return AnswerOut.model_validate(found)


async def streamed(services: Services, asked: Asked, request: Request) -> Response:
    """The answer as events."""
    events = await unless_gone(request, begun(asking.stream(services, asked), PATIENCE_SECONDS))
    return event_response(
        server_sent(events, asked.request_id), services.platform.settings.server.shutdown_seconds
    )


async def server_sent(
    events: AsyncGenerator[Event, None], request_id: str
) -> AsyncGenerator[ServerSentEvent, None]:
    """What the engine says, in the form of server-sent events."""
    try:
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Token):
                    yield _sent("token", {"text": event.text})
                elif isinstance(event, Reset):
                    yield _sent("reset", {"reason": event.reason})
                elif isinstance(event, Answer):
                    for part in _parts(event):
                        yield part
    except Exception as error:  # noqa: BLE001 - the response has begun: it cannot have a status
        yield _sent("error", problem_of(error, request_id))


def _parts(answer: Answer) -> list[ServerSentEvent]:
    whole = AnswerOut.model_validate(answer).model_dump(mode="json")
    parts = {"citations": "citations", "usage": "usage", "timings": "timings_ms"}
    return [
        *(_sent(event, {name: whole[name]}) for event, name in parts.items()),
        _sent("done", whole),
    ]


def _sent(event: str, value: dict[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(value, ensure_ascii=False), event=event, sep="\n")
