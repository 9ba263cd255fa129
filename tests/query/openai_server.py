"""A real OpenAI-compatible chat server on this machine that answers from a script.

Every chat request takes the next ``Reply`` of the script; when the script is at its end, ``default``.
"""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

KEY = "sk-of-the-test"
MODEL = "tiny"


@dataclass(frozen=True)
class Reply:
    """What the server does with one request.

    Attributes:
        tokens: pieces of text that are streamed.
        finish: the finish reason; None: the stream ends without one.
        usage: prompt and completion tokens; None: the server does not say.
        status: an error instead of a stream, with ``error`` as its body and ``headers``.
        raw: the body of an answer with status 200 that is no stream, of ``content_type``.
        events: raw lines that are sent as ``data:`` before the tokens.
        hang: before headers (-1) or after so many tokens the server says nothing any more.
        comments: while it hangs, it sends keep-alive comments.
        break_after: after so many tokens the connection is cut.
        delay: seconds before each token.
    """

    tokens: tuple[str, ...] = ("Forty-two ", "days ", "[1].")
    finish: str | None = "stop"
    usage: tuple[int, int] | None = (11, 3)
    status: int = 200
    error: Any = field(default_factory=lambda: {"error": {"message": "no", "code": 0}})
    headers: dict[str, str] = field(default_factory=dict)
    raw: str | None = None
    content_type: str = "text/html"
    events: tuple[str, ...] = ()
    hang: int | None = None
    comments: bool = False
    break_after: int | None = None
    delay: float = 0.0


class ConnectionCut(Exception):
    """Raised in the server to drop a connection in the middle of a body."""


class OpenAIServer:
    """Speaks ``/v1/chat/completions`` and ``/v1/models``.

    Attributes:
        script: replies to come. ``default``: the reply once the script is at its end.
        requests, headers: of the chat requests that came.
        models: the rows of ``/v1/models``; ``models_status``: its status.
        cut_off: set when a client left before its stream was at its end.
    """

    def __init__(self, *script: Reply, default: Reply | None = None) -> None:
        self.port = 0
        self._stopping = False
        self._lock = threading.Lock()
        self.reset(*script, default=default)

    def reset(self, *script: Reply, default: Reply | None = None) -> None:
        """Forget what was before: for tests that share a server."""
        self.script = list(script)
        self.default = default or Reply()
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.models: list[dict[str, Any]] = [{"id": MODEL, "max_model_len": 4096}]
        self.models_status = 200
        self.model_requests = 0
        self.key = ""
        self.cut_off = threading.Event()

    @property
    def url(self) -> str:
        """The base address for clients."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def list_models(self, request: Request) -> Response:
        self.model_requests += 1
        if self.models_status != 200:
            return JSONResponse({"error": {"message": "no models"}}, self.models_status)
        return JSONResponse({"object": "list", "data": self.models})

    async def chat(self, request: Request) -> Response:
        body = await request.json()
        with self._lock:
            self.requests.append(body)
            self.headers.append(dict(request.headers))
            reply = self.script.pop(0) if self.script else self.default
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            said = f"wrong key: {request.headers.get('authorization')}"
            return JSONResponse({"error": said}, 401)
        if reply.hang == -1:
            await self._hang(request)
        if reply.status != 200:
            return JSONResponse(reply.error, reply.status, reply.headers)
        if reply.raw is not None:
            return Response(reply.raw, media_type=reply.content_type)
        return StreamingResponse(self._stream(reply, body), media_type="text/event-stream")

    async def _hang(self, request: Request) -> None:
        while not self._stopping and not await request.is_disconnected():
            await asyncio.sleep(0.01)

    async def _stream(self, reply: Reply, body: dict[str, Any]) -> AsyncIterator[str]:
        whole = False
        cut_off = self.cut_off  # of this test, not of the one after it
        try:
            for event in reply.events:
                yield f"data: {event}\n\n"
            yield _chunk(body, {"role": "assistant", "content": ""})
            for position in range(len(reply.tokens) + 1):
                if reply.break_after == position:
                    raise ConnectionCut
                while reply.hang == position and not self._stopping:
                    await asyncio.sleep(0.02)
                    if reply.comments:
                        yield ": still here\n\n"
                if position < len(reply.tokens):
                    await asyncio.sleep(reply.delay)
                    yield _chunk(body, {"content": reply.tokens[position]})
            if reply.finish:
                yield _chunk(body, {}, reply.finish)
            if reply.usage and body.get("stream_options", {}).get("include_usage"):
                yield _usage(body, reply.usage)
            yield "data: [DONE]\n\n"
            whole = True
        finally:
            if not whole:
                cut_off.set()

    @contextmanager
    def running(self) -> Iterator["OpenAIServer"]:
        """Serve for as long as this lasts."""
        import uvicorn

        routes = [
            Route("/v1/chat/completions", self.chat, methods=["POST"]),
            Route("/v1/models", self.list_models),
        ]
        self._stopping = False
        config = uvicorn.Config(Starlette(routes=routes), log_level="critical", lifespan="off")
        server = uvicorn.Server(config)
        with socket.socket() as listening:
            # started again, it has the port that it had
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(("127.0.0.1", self.port))
            listening.listen(64)  # requests wait from now on, so nothing polls for the start
            self.port = listening.getsockname()[1]
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            try:
                yield self
            finally:
                self._stopping = True
                server.should_exit = True
                server.force_exit = True
                thread.join()


def json_reply(value: Any, **changes: Any) -> Reply:
    """A reply whose text is JSON, in a few tokens."""
    text = json.dumps(value)
    return replace(Reply(tokens=tuple(text[i : i + 7] for i in range(0, len(text), 7))), **changes)


def _chunk(body: dict[str, Any], delta: dict[str, Any], finish: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return _event({**_head(body), "choices": [choice]})


def _usage(body: dict[str, Any], usage: tuple[int, int]) -> str:
    prompt, completion = usage
    counts = {"prompt_tokens": prompt, "completion_tokens": completion}
    return _event({**_head(body), "choices": [], "usage": {**counts, "total_tokens": sum(usage)}})


def _head(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": body["model"],
    }


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value)}\n\n"
