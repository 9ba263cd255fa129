"""A real OpenAI-compatible judge on this machine whose verdicts are known.

It looks at the name of the schema that a request asks for and replies with what the test set for it.
"""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MODEL = "judge-of-the-test"
PROMPT_TOKENS, COMPLETION_TOKENS = 100, 10


@dataclass(frozen=True)
class Fault:
    """What the server does instead of replying.

    Attributes:
        status: of the answer.
        text: what the model writes, instead of the reply; or the message of an error.
        raw: the whole body.
        seconds: how long it waits before it answers as it would have.
        finish: the finish reason.
    """

    status: int = 200
    text: str | None = None
    raw: str | None = None
    seconds: float = 0.0
    finish: str = "stop"
    headers: dict[str, str] = field(default_factory=dict)


# schema name and prompt → fault, or None for the reply
Faults = Callable[[str, str], Fault | None]


class JudgeServer:
    """Speaks ``/v1/chat/completions`` (whole replies) and ``/v1/models``.

    Attributes:
        replies: schema name → reply, or a function from the prompt to the reply.
        faults: asked before every reply.
        requests: bodies of the chat requests that came; ``headers`` of them.
        most_at_once: how many requests were worked on at the same time.
        models: names in ``/v1/models``.
    """

    def __init__(self) -> None:
        self.port = 0
        self._stopping = False
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget what was before."""
        self.replies: dict[str, Any] = {}
        self.faults: Faults = lambda name, prompt: None
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.models = [MODEL]
        self.models_status = 200
        self.at_once = self.most_at_once = 0

    @property
    def url(self) -> str:
        """The base address for clients."""
        return f"http://127.0.0.1:{self.port}/v1"

    def prompts(self) -> list[str]:
        """The prompts that came."""
        return [body["messages"][0]["content"] for body in self.requests]

    async def list_models(self, request: Request) -> Response:
        if self.models_status != 200:
            return JSONResponse({"error": {"message": "no"}}, self.models_status)
        rows = [
            {"id": name, "object": "model", "created": 1, "owned_by": "t"} for name in self.models
        ]
        return JSONResponse({"object": "list", "data": rows})

    async def chat(self, request: Request) -> Response:
        body = await request.json()
        name = body["response_format"]["json_schema"]["name"]
        prompt = body["messages"][0]["content"]
        with self._lock:
            self.requests.append(body)
            self.headers.append(dict(request.headers))
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            fault = self.faults(name, prompt) or Fault()
        try:
            await self._wait(fault.seconds, request)
        finally:
            with self._lock:
                self.at_once -= 1
        if fault.status != 200:
            said = {"error": {"message": fault.text or f"status {fault.status}"}}
            return JSONResponse(said, fault.status, fault.headers)
        if fault.raw is not None:
            return Response(fault.raw, media_type="text/html")
        text = fault.text if fault.text is not None else json.dumps(self._reply(name, prompt))
        return JSONResponse(_completion(body["model"], text, fault.finish))

    def _reply(self, name: str, prompt: str) -> Any:
        reply = self.replies[name]
        return reply(prompt) if callable(reply) else reply

    async def _wait(self, seconds: float, request: Request) -> None:
        left = seconds
        while left > 0 and not self._stopping and not await request.is_disconnected():
            await asyncio.sleep(min(left, 0.02))
            left -= 0.02

    @contextmanager
    def running(self) -> Iterator["JudgeServer"]:
        import uvicorn

        routes = [
            Route("/v1/chat/completions", self.chat, methods=["POST"]),
            Route("/v1/models", self.list_models),
        ]
        config = uvicorn.Config(Starlette(routes=routes), log_level="critical", lifespan="off")
        server = uvicorn.Server(config)
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen(64)
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


def _completion(model: str, text: str, finish: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": PROMPT_TOKENS,
            "completion_tokens": COMPLETION_TOKENS,
            "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
        },
    }


def verdicts(*words: str, **more: Any) -> dict[str, Any]:
    """A list of verdicts as deepeval asks for one."""
    return {"verdicts": [{"verdict": word, "reason": f"it is {word}", **more} for word in words]}
