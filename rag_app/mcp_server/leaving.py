"""A request whose caller goes away is given up, whether or not the library looks after that."""

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

GONE = "http.disconnect"


async def unless_gone(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Let an application answer a request, and cancel it when the caller goes away before the end.

    Args:
        app: answers; it need not look whether anybody is still there.
        scope, receive, send: of the request.

    Raises:
        whatever the application raises.
    """
    heard, left, answered = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def hear() -> Message:
        if heard.is_set():
            await left.wait()
            return {"type": GONE}
        message = await receive()
        if not message.get("more_body", False):
            heard.set()
        return message

    async def say(message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            answered.set()  # from now on the server says of every caller that it has gone
        await send(message)

    async def watch() -> None:
        await heard.wait()
        while (await receive())["type"] != GONE:
            continue
        left.set()

    work, watching = asyncio.ensure_future(app(scope, hear, say)), asyncio.ensure_future(watch())
    try:
        await asyncio.wait({work, watching}, return_when=asyncio.FIRST_COMPLETED)
        if work.done() or answered.is_set():
            await work
    finally:
        for task in (work, watching):
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
