"""``/v1/chat/completions`` and ``/v1/models``: Ragline for clients of OpenAI."""

import json
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from sse_starlette import ServerSentEvent

from rag_app.access.principal import READ, Principal
from rag_app.api.dependencies import Reader, RequestId, Services, ServicesDep, require
from rag_app.api.models.answers import AnswerOut
from rag_app.api.models.openai import (
    ChatAnswer,
    ChatCompletion,
    ChatRequest,
    ChatUsage,
    Choice,
    ModelList,
    ModelOut,
    openai_errors,
)
from rag_app.api.problems import openai_error, problem_of
from rag_app.api.streaming import PATIENCE_SECONDS, begun, event_response, unless_gone
from rag_app.service import asking
from rag_app.service.asking import Asked
from rag_app.service.conversation import Turn, question_of
from rag_app.service.errors import NotFound
from rag_app.service.markdown_notes import notes_of
from rag_assets.platform.errors import InvalidQuestion
from rag_assets.platform.platform import Platform
from rag_assets.query.answer import Answer, Token
from rag_assets.query.answering import Event, Reset

router = APIRouter(prefix="/v1", tags=["openai"])

# model → answerer of the engine
MODELS = {"ragline": "", "ragline-extractive": "extractive", "ragline-llm": "llm"}
AGAIN = "\n\n---\n\n*The language model broke off; the answer begins again.*\n\n"
STREAM = {
    "description": "The completion; with `stream`, chunks as server-sent events, then `[DONE]`.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


class ModelNotFound(NotFound):
    """There is no such model."""


@router.get(
    "/models",
    operation_id="list_models",
    summary="The ways to answer, as models",
    responses=openai_errors(401, 403, 429, 500, 503),
)
def list_models(principal: Reader, services: ServicesDep) -> ModelList:
    """`ragline` answers as configured, `ragline-extractive` quotes, `ragline-llm` uses the LLM."""
    return ModelList(data=[ModelOut(id=name, created=0) for name in models(services.platform)])


@router.get(
    "/models/{model}",
    operation_id="get_model",
    summary="One way to answer",
    responses=openai_errors(401, 403, 404, 429, 500, 503),
)
def get_model(
    model: Annotated[str, Path(max_length=100)], principal: Reader, services: ServicesDep
) -> ModelOut:
    """Whether there is such a model."""
    known_model(services.platform, model)
    return ModelOut(id=model, created=0)


@router.post(
    "/chat/completions",
    operation_id="chat_completions",
    summary="Answer the last user message, in OpenAI's form",
    response_model=ChatCompletion,
    responses={200: STREAM, **openai_errors()},
)
async def chat_completions(
    chat: ChatRequest,
    principal: Annotated[Principal, Depends(require(READ, "chat", question=True))],
    services: ServicesDep,
    request: Request,
    request_id: RequestId,
) -> Any:
    """The last user message is the question; a short one that points back takes the one before along.

    System messages and earlier answers are left out: answers come from the documents.
    """
    asked = _asked(services, chat, principal, request_id)
    completion = Completion(chat)
    if chat.stream:
        events = await unless_gone(request, begun(asking.stream(services, asked), PATIENCE_SECONDS))
        return event_response(
            completion.chunks(events, request_id),
            services.platform.settings.server.shutdown_seconds,
        )
    return completion.whole(await unless_gone(request, asking.answer(services, asked)))


def models(platform: Platform) -> list[str]:
    """The models of this deployment."""
    return [name for name in MODELS if name != "ragline-llm" or platform.settings.llm.base_url]


def known_model(platform: Platform, name: str) -> str:
    """The answerer that a model stands for.

    Raises:
        ModelNotFound: there is no such model.
    """
    known = models(platform)
    if name not in known:
        raise ModelNotFound(f"There is no model '{name[:100]}'.", f"Models: {', '.join(known)}.")
    return MODELS[name]


def _asked(services: Services, chat: ChatRequest, principal: Principal, request_id: str) -> Asked:
    answerer = known_model(services.platform, chat.model)
    question = question_of([Turn(message.role, message.text) for message in chat.messages])
    if not question:
        raise InvalidQuestion("No message of the role 'user' has a text.", "Ask something.")
    options = chat.ragline
    return Asked(
        question=question,
        principal=principal,
        request_id=request_id,
        action="chat",
        answerer=answerer,
        limit=options.limit,
        filter=options.filter,
        task=options.task,
        release=options.release,
        as_of=options.as_of,
    )


class Completion:
    """Puts an answer into OpenAI's form.

    Args:
        chat: the request.
    """

    def __init__(self, chat: ChatRequest) -> None:
        self._model = chat.model
        self._notes = chat.ragline.notes
        self._usage = bool(chat.stream_options and chat.stream_options.include_usage)
        self._created = int(time.time())

    def whole(self, answer: Answer) -> ChatCompletion:
        """The completion at once."""
        message = ChatAnswer(content=answer.answer + self._notes_of(answer))
        return ChatCompletion(
            id=_id(answer.answer_id),
            created=self._created,
            model=self._model,
            choices=[Choice(message=message, finish_reason=_finish(answer))],
            usage=_usage(answer),
            system_fingerprint=_fingerprint(answer),
            ragline=AnswerOut.model_validate(answer),
        )

    async def chunks(
        self, events: AsyncGenerator[Event, None], request_id: str
    ) -> AsyncGenerator[ServerSentEvent, None]:
        """The completion as it is written."""
        head = {"id": _id(request_id)}
        try:
            async with aclosing(events):
                yield self._chunk(head, {"role": "assistant", "content": ""})
                async for event in events:
                    if isinstance(event, Token):
                        yield self._chunk(head, {"content": event.text})
                    elif isinstance(event, Reset):
                        yield self._chunk(head, {"content": AGAIN})
                    elif isinstance(event, Answer):
                        for chunk in self._end(head, event):
                            yield chunk
        except Exception as error:  # noqa: BLE001 - the response has begun: it cannot have a status
            yield _sent(openai_error(problem_of(error, request_id)))
        yield ServerSentEvent("[DONE]", sep="\n")

    def _end(self, head: Mapping[str, Any], answer: Answer) -> list[ServerSentEvent]:
        """The notes, the end with the whole answer, and the usage where it is wanted."""
        notes = self._notes_of(answer)
        ended = {
            "system_fingerprint": _fingerprint(answer),
            "ragline": AnswerOut.model_validate(answer).model_dump(mode="json"),
        }
        chunks = [self._chunk(head, {"content": notes})] if notes else []
        chunks.append(self._chunk({**head, **ended}, {}, _finish(answer)))
        if self._usage:
            chunks.append(_sent(self._body(head, [], _usage(answer).model_dump())))
        return chunks

    def _chunk(
        self, head: Mapping[str, Any], delta: dict[str, Any], finish: str | None = None
    ) -> ServerSentEvent:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return _sent(self._body(head, [choice], None))

    def _body(
        self, head: Mapping[str, Any], choices: list[dict[str, Any]], usage: dict[str, int] | None
    ) -> dict[str, Any]:
        body = {
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
            "choices": choices,
            **head,
        }
        return {**body, "usage": usage} if self._usage else body

    def _notes_of(self, answer: Answer) -> str:
        return notes_of(answer) if self._notes else ""


def _sent(value: dict[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(value, ensure_ascii=False), sep="\n")


def _id(name: str) -> str:
    return f"chatcmpl-{name}"


def _finish(answer: Answer) -> Any:
    return "length" if "answer_cut" in answer.degraded else "stop"


def _fingerprint(answer: Answer) -> str:
    return f"release-{answer.release['id']}"


def _usage(answer: Answer) -> ChatUsage:
    prompt, completion = answer.usage.prompt_tokens, answer.usage.completion_tokens
    return ChatUsage(
        prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion
    )
