"""The service, with a route that blocks the event loop; run as a server of its own."""

import sys
import time

from fastapi import FastAPI

from rag_app.api import app as service
from rag_app.supervision.workers import run_workers


def application() -> FastAPI:
    """What ``ragline serve`` serves, and ``/block``."""
    app = service.application()
    assert isinstance(app, FastAPI)
    app.add_api_route("/block", blocked_for_ever)
    return app


async def blocked_for_ever() -> None:
    time.sleep(3600)


if __name__ == "__main__":
    port, workers = map(int, sys.argv[1:])
    run_workers("tests.app.api.blocking:application", port=port, workers=workers)
