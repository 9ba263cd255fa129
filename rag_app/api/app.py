"""The application: every route, with the services that they share."""

import logging
import multiprocessing
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from importlib.metadata import version
from threading import Thread

from fastapi import FastAPI
from starlette.routing import Route
from uvicorn.config import STARTUP_FAILURE

from rag_app import pages
from rag_app.access import middleware
from rag_app.mcp_server.http import PATH as MCP_PATH
from rag_app.mcp_server.http import MCPOverHTTP
from rag_app.service.services import Services
from rag_app.telemetry.instrument import instrument
from rag_assets.platform.errors import DatabaseUnavailable, RaglineError
from rag_assets.platform.platform import Platform
from rag_assets.platform.processes import end_with_starter, share_free_memory

from . import openapi, problems
from .request_ids import RequestIds
from .routes import (
    answers,
    ask,
    audit,
    chat,
    documents,
    feedback,
    health,
    releases,
    search,
    uploads,
)
from .standstill import ended_at_standstill
from .waiting import Waiting

logger = logging.getLogger(__name__)


def create_app(platform: Platform, *, own_process: bool = False) -> FastAPI:
    """The service of a deployment, as an ASGI application.

    Nothing is opened before it starts; a deployment that cannot answer yet is served all the same,
    and ``/readyz`` says what is missing.

    Args:
        platform: the deployment.
        own_process: nothing else is in the process, which ends when the application stands still.
    """
    platform.database  # noqa: B018 - nothing is made, again and again, while it is away
    services = Services.of(platform)
    mcp = MCPOverHTTP(services)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        Thread(target=_warm_up, args=(services,), name="warm-up", daemon=True).start()
        silence = platform.settings.server.worker_silence_seconds
        async with mcp.running():
            with ended_at_standstill(silence) if own_process else nullcontext():
                yield
        services.close()

    app = FastAPI(
        title="Ragline",
        version=version("ragline"),
        description="Answers from your documents, each with its citations and its lineage.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # its own spans hold paths, addresses and messages of errors; ours do not (rag_app/telemetry)
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.services = services
    problems.install(app)
    for module in (
        ask,
        search,
        answers,
        documents,
        uploads,
        releases,
        feedback,
        audit,
        chat,
        health,
        pages,
    ):
        app.include_router(module.router)
    # a plain route: the protocol describes itself, and is no part of the OpenAPI document
    app.router.routes.append(Route(MCP_PATH, endpoint=mcp))
    openapi.describe(app)
    middleware.install(app, platform.settings, problems.refuse)
    instrument(app, services)
    # the last one added is the outermost: everything inside knows the id of its request
    app.add_middleware(RequestIds)
    return app


def application() -> FastAPI | Waiting:
    """``create_app`` for a server's process, from the settings of its working folder.

    A platform database that is away is waited for; the service says so meanwhile.

    Raises:
        RaglineError: the deployment cannot be served, now or later.
        SystemExit: the same, in one of several workers: starting it again would not help.
    """
    # one of several workers must not go on serving when the process that looks after them is gone
    end_with_starter(signal.SIGTERM)
    share_free_memory()
    try:
        platform = Platform.load()
        try:
            return create_app(platform, own_process=True)
        except DatabaseUnavailable as error:
            if not platform.settings.database_url.get_secret_value():
                raise  # a file of this machine does not come by itself
            logger.warning("The service waits for the platform database: %s", error)
            return Waiting(lambda: create_app(platform, own_process=True), platform.settings)
    except RaglineError as error:
        if multiprocessing.parent_process() is None:
            raise
        logger.error("The service cannot start: %s", error)
        sys.exit(STARTUP_FAILURE)


def _warm_up(services: Services) -> None:
    """Load what the first question needs while nobody waits for it."""
    try:
        services.engine.warm_up()
    except RaglineError as error:
        logger.warning("Not ready to answer yet: %s", error)
