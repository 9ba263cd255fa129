"""The size of requests, counted as they arrive: ASGI middleware."""

from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag_assets.platform.settings import ServerSettings

from .errors import Refused, TooLarge

UPLOAD_ROUTE = ("POST", "/v1/documents")
# the parts of a form around a file
FORM_BYTES = 64 * 1024

Refuse = Callable[[Scope, Receive, Send, Refused], Awaitable[None]]


class BodyLimit:
    """Refuses bodies that are too large, before they are read where their length is announced.

    An upload is only refused once its route wants to read it: first it asks whose it is.

    Args:
        app: what is inside.
        settings: how large requests and uploads may be.
        refuse: sends the response of an error.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings, refuse: Refuse) -> None:
        self._app = app
        self._most = int(settings.max_body_mb * 1e6)
        self._most_upload = int(settings.max_upload_mb * 1e6) + FORM_BYTES
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        upload = _is_upload(scope)
        most = self._most_upload if upload else self._most
        if _announced(scope) > most and not upload:
            await self._refuse(scope, receive, send, _too_large(most))
            return
        await self._count(scope, receive, send, most)

    async def _count(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        read, refused, started = 0, False, False

        async def counting() -> Message:
            nonlocal read, refused
            message: Message | None = None
            if _announced(scope) <= most:
                message = await receive()
                if message["type"] == "http.request":
                    read += len(message.get("body", b""))
            if message is None or read > most:
                refused = True
                # a kind of error that no layer between here and the route turns into another
                raise HTTPException(TooLarge.status)
            return message

        async def watching(message: Message) -> None:
            nonlocal started
            if refused and not started:
                return  # ours comes instead
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, counting, watching)
        except HTTPException:
            if not refused:
                raise
        if refused and not started:
            await self._refuse(scope, receive, send, _too_large(most))


def _is_upload(scope: Scope) -> bool:
    path = scope["path"].removeprefix(scope.get("root_path", "")).rstrip("/")
    return (scope["method"], path) == UPLOAD_ROUTE


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


def _too_large(most: int) -> TooLarge:
    error = TooLarge(f"The request is larger than {most:,} bytes.", "Send less at once.")
    # what is still on its way is not read: the connection cannot be used again
    error.headers["Connection"] = "close"
    return error
