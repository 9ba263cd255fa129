"""MCP over streamable HTTP: one address of the service, behind the same authentication."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from rag_app.access.principal import READ, Principal
from rag_app.service.admission import Visitor, Wanted, admit
from rag_app.service.services import Services

from .leaving import unless_gone
from .server import make_server

PATH = "/mcp"
VISITOR = "mcp_visitor"
BYTES_PER_MB = 1_000_000


class MCPOverHTTP:
    """An ASGI application for one address.

    It keeps no sessions, so that every worker process can answer every request, and each request
    shows its credentials again.

    Args:
        services: of the process.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._server = make_server(services, self._admit)
        most = services.platform.settings.server.max_body_mb
        self._app: ASGIApp = self._server.streamable_http_app(
            streamable_http_path=PATH,
            json_response=True,
            stateless_http=True,
            max_request_body_size=int(most * BYTES_PER_MB),
            # host names and origins are looked at for the whole service (access.browsers)
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answers requests inside of this."""
        async with self._server.session_manager.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Identify the caller, then hand over; a refusal leaves as the service's own problem."""
        request = Request(scope)
        visitor = Visitor(
            authorization=request.headers.get("authorization"),
            client=request.client.host if request.client else "",
            request_id=str(scope.get("state", {}).get("request_id", "")),
        )
        await asyncio.to_thread(admit, self._services, visitor, Wanted(READ, "mcp", PATH, cost=0))
        scope.setdefault("state", {})[VISITOR] = visitor
        await unless_gone(self._app, scope, receive, send)

    async def _admit(self, ctx: Context[Any, Any], wanted: Wanted) -> Principal:
        request = ctx.request_context.request
        visitor = request.scope["state"][VISITOR] if request is not None else Visitor()
        admitted = await asyncio.to_thread(admit, self._services, visitor, wanted)
        return admitted.principal
