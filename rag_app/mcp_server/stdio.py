"""MCP over standard input and output, for an agent on this machine."""

import asyncio
from collections.abc import Iterable
from typing import Any

from mcp.server.mcpserver import Context

from rag_app.access.principal import FEEDBACK, READ, Principal
from rag_app.service.admission import Wanted
from rag_app.service.services import Services
from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller

from .server import make_server


def run_stdio(platform: Platform, groups: Iterable[str]) -> None:
    """Serve until the other side closes the pipe.

    Args:
        platform: the deployment.
        groups: that the agent's user is in, as with ``ragline ask --groups``.
    """
    services = Services.of(platform)
    caller = Caller.of(groups, authenticated=platform.settings.auth.enabled)
    principal = Principal("stdio", caller, frozenset({READ, FEEDBACK}))

    async def admit(ctx: Context[Any, Any], wanted: Wanted) -> Principal:
        principal.require(wanted.scope)
        return principal

    try:
        asyncio.run(make_server(services, admit).run_stdio_async())
    finally:
        services.close()
