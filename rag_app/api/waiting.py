"""The service while the platform database cannot be reached yet: alive, not ready, and it says so.

Whoever starts everything at once (a machine after a power cut, an orchestrator) starts the service
before its database now and then. It listens from the beginning and needs no second start.
"""

import asyncio
import logging
from collections.abc import Callable

from fastapi import FastAPI, Request, Response
from starlette.types import Receive, Scope, Send
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential

from rag_app.access import middleware
from rag_app.service.readiness import CHECKS
from rag_app.service.workers import whole_seconds
from rag_assets.platform.errors import DatabaseUnavailable
from rag_assets.platform.settings import Settings

from . import problems
from .request_ids import RequestIds
from .routes import health

logger = logging.getLogger(__name__)

LONGEST_PAUSE = 10.0  # seconds between two tries
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


class Waiting:
    """An ASGI application that becomes another one as soon as that can be made.

    Args:
        make: makes it; called until it raises nothing, in a thread.
        settings: of the deployment.
    """

    def __init__(self, make: Callable[[], FastAPI], settings: Settings) -> None:
        self._make = make
        self._app = _meanwhile(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        await receive()
        over = asyncio.Event()
        becoming = asyncio.create_task(self._become(over))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        over.set()
        await becoming
        await send({"type": "lifespan.shutdown.complete"})

    async def _become(self, over: asyncio.Event) -> None:
        """Be the other one from when it can be made until all is over."""
        made = asyncio.create_task(self._made())
        ended = asyncio.create_task(over.wait())
        await asyncio.wait({made, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not made.done():
            made.cancel()
            return
        app = made.result()
        async with app.router.lifespan_context(app):
            self._app = app
            logger.info("The platform database is there: the service goes on")
            await ended

    async def _made(self) -> FastAPI:
        again = AsyncRetrying(
            # whatever it is, it is logged: none may end the waiting unseen
            retry=retry_if_exception_type(Exception),
            wait=wait_exponential(max=LONGEST_PAUSE),
            before_sleep=_tell,
        )
        return await again(asyncio.to_thread, self._make)


def _tell(state: RetryCallState) -> None:
    reason = state.outcome.exception() if state.outcome else None
    logger.warning("Still waiting for the platform database: %s", reason)


def _meanwhile(settings: Settings) -> FastAPI:
    """What can be said without a database: that the process is alive, and that nothing else works."""
    app = FastAPI(openapi_url=None, telemetry={"tracing": False, "metrics": False, "logs": False})
    problems.install(app)

    @app.get("/healthz")
    async def healthz() -> health.Alive:
        return health.Alive()

    @app.get("/readyz")
    async def readyz(response: Response) -> health.Ready:
        response.status_code = 503
        response.headers["Retry-After"] = whole_seconds(health.RETRY_SECONDS)
        problem = health.Check(ok=False, problem=DatabaseUnavailable.__name__)
        return health.Ready(
            ready=False, release_id=None, checks={CHECKS[0]: problem}, missing=list(CHECKS)
        )

    @app.api_route("/{path:path}", methods=METHODS)
    async def anything(request: Request) -> None:
        raise DatabaseUnavailable("The platform database cannot be reached yet.")

    middleware.install(app, settings, problems.refuse)
    app.add_middleware(RequestIds)
    return app
