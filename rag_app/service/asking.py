"""One question of a caller, whichever way it came in."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, closing
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from rag_app.access.principal import Principal
from rag_assets.platform import interruption
from rag_assets.query.answer import Answer
from rag_assets.query.answering import Event

from .services import Services
from .told import as_known


@dataclass(frozen=True)
class Asked:
    """A question and how it is to be answered; see ``QueryEngine.ask``.

    Attributes:
        action: as the audit log names the way it came in: ask or chat.
        release, as_of: which release; see ``asked_release``.
    """

    question: str
    principal: Principal
    request_id: str = ""
    action: str = "ask"
    limit: int | None = None
    filter: str = ""
    task: str = ""
    answerer: str = ""
    release: int | None = None
    as_of: str = ""


async def stream(services: Services, asked: Asked) -> AsyncGenerator[Event, None]:
    """The events of an answer as they come; the last one is the answer, which is recorded.

    Closing it closes the engine's generator, which ends the generation of the language model.

    Raises:
        Busy: as many questions are being answered as the process takes.
        RaglineError: as ``QueryEngine.stream``.
    """

    try:
        async with aclosing(services.workers.stream(lambda: _events(services, asked))) as events:
            async for event in events:
                if isinstance(event, Answer):
                    _record(services, asked, event)
                yield event
    except (SQLAlchemyError, OSError) as error:
        raise as_known(error, services.platform.state_path) from error


async def answer(services: Services, asked: Asked) -> Answer:
    """The whole answer; errors are those of ``stream``."""

    def last() -> Answer:
        with closing(_events(services, asked)) as events:  # type: ignore[type-var]
            for event in events:
                interruption.check()
                if isinstance(event, Answer):
                    return event
        raise AssertionError("a stream ends with an answer")

    try:
        found = await services.workers.run(last)
    except (SQLAlchemyError, OSError) as error:
        raise as_known(error, services.platform.state_path) from error
    _record(services, asked, found)
    return found


def _events(services: Services, asked: Asked) -> Iterator[Event]:
    """What the engine says; begin it in a thread."""
    engine = services.engines.of(asked.release, asked.as_of)
    return engine.stream(
        asked.question,
        asked.principal.caller,
        asked.limit,
        filter=asked.filter,
        task=asked.task,
        answerer=asked.answerer,
    )


def _record(services: Services, asked: Asked, answer: Answer) -> None:
    services.audit.record(
        asked.principal,
        asked.action,
        answer.answer_id,
        "abstained" if answer.abstained else "ok",
        release_id=answer.release["id"],
        request_id=asked.request_id,
    )
