"""A real OpenAI-compatible embeddings server on this machine, which can also misbehave."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rag_assets.encoders import Encoder

KEY = "sk-of-the-test"
Fault = Callable[[dict[str, Any]], Response]


class EmbeddingsServer:
    """Computes vectors with ``encoder``; answers the next requests with ``faults`` first."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.faults: list[Fault] = []
        self.requests: list[dict[str, Any]] = []
        self.url = ""

    async def embeddings(self, request: Request) -> Response:
        body = await request.json()
        self.requests.append(body)
        if request.headers.get("authorization") != f"Bearer {KEY}":
            said = f"Incorrect key: {request.headers.get('authorization')}"
            return JSONResponse({"error": {"message": said}}, 401)
        if self.faults:
            return self.faults.pop(0)(body)
        if "" in body["input"]:
            return JSONResponse({"error": {"message": "input cannot be empty"}}, 400)
        vectors = await run_in_threadpool(self._encoder.encode, body["input"])
        await asyncio.sleep(0)
        rows = [{"index": i, "embedding": (3 * v).tolist()} for i, v in enumerate(vectors)]
        return JSONResponse({"data": rows[::-1]})  # in an order of its own

    @contextmanager
    def running(self) -> Iterator[None]:
        import uvicorn

        app = Starlette(routes=[Route("/v1/embeddings", self.embeddings, methods=["POST"])])
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()  # requests wait from now on, so nothing polls for the start
            self.url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            try:
                yield
            finally:
                server.should_exit = True
                thread.join()
