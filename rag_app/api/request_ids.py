"""Every request has an id, which its response, its errors, the logs and the audit log name."""

import re
import uuid
from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-ID"
ACCEPTED = re.compile(rb"[A-Za-z0-9._:-]{1,100}")
ADDED = "response_headers"


class RequestIds:
    """ASGI middleware: takes the id that a proxy gave, or makes one; adds headers of routes.

    Args:
        app: what is inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(HEADER.lower().encode(), b"")
        # an id goes into logs: what is not plain is not taken
        request_id = given.decode() if ACCEPTED.fullmatch(given) else uuid.uuid4().hex
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        state[ADDED] = {HEADER: request_id}

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(state[ADDED])
            await send(message)

        await self._app(scope, receive, send_with_id)


def request_id_of(scope: Scope) -> str:
    """The id of a request; empty outside of the application."""
    return str(scope.get("state", {}).get("request_id", ""))


def add_headers(scope: Scope, headers: Mapping[str, str]) -> None:
    """Add headers to the response of a request, whoever makes it."""
    scope.setdefault("state", {}).setdefault(ADDED, {}).update(headers)
