"""Server-sent events, and what happens when the client goes away."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Coroutine
from contextlib import aclosing, suppress
from typing import Any, TypeVar

import anyio
from fastapi import Request
from sse_starlette import EventSourceResponse, ServerSentEvent

T = TypeVar("T")

# how long a stream waits for its first event before it begins: until then, an error has a status
PATIENCE_SECONDS = 5.0
PING_SECONDS = 10
# what is done sooner needs nobody who watches whether its caller is still there
UNWATCHED_SECONDS = 0.05


class ClientGone(Exception):
    """Whoever asked does not wait for the answer any more."""


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Do some work, and stop when the client goes away.

    Raises:
        ClientGone: it did.
    """
    tasks: list[asyncio.Future[Any]] = [task := asyncio.ensure_future(work)]
    try:
        await asyncio.wait(tasks, timeout=UNWATCHED_SECONDS)
        if not task.done():
            tasks.append(asyncio.ensure_future(_gone(request)))
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientGone
    finally:
        for pending in tasks:
            if not pending.done():
                pending.cancel()
                with suppress(asyncio.CancelledError):
                    await pending


async def begun(events: AsyncGenerator[T, None], patience: float) -> AsyncGenerator[T, None]:
    """The same events, once the first one is there or so many seconds have passed.

    Raises:
        whatever ends the events before their first one, within that time.
    """
    first = asyncio.ensure_future(anext(events))
    try:
        await asyncio.wait({first}, timeout=patience)
        if first.done():
            first.result()
    except BaseException:
        first.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await first
        await events.aclose()
        raise

    async def whole() -> AsyncGenerator[T, None]:
        async with aclosing(events):
            yield await first
            async for event in events:
                yield event

    return whole()


def event_response(
    events: AsyncIterable[ServerSentEvent], shutdown_seconds: float
) -> EventSourceResponse:
    """A response of events, with signs of life in between.

    When the server shuts down, a running stream gets so many seconds to end by itself.
    """
    return EventSourceResponse(
        events,
        sep="\n",
        ping=PING_SECONDS,
        ping_message_factory=lambda: ServerSentEvent(comment="still here"),
        shutdown_event=anyio.Event(),
        shutdown_grace_period=shutdown_seconds,
    )


async def _gone(request: Request) -> None:
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            return
