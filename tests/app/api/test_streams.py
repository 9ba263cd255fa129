"""What becomes of a stream when its client goes, when everything is busy, and at shutdown."""

import asyncio
import json
import signal
import socket
import threading
from collections.abc import Generator, Iterator
from contextlib import ExitStack, aclosing
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import httpx
import pytest

from rag_app.service.workers import Busy, Workers
from tests.app.api.running import Service, serving
from tests.query.openai_server import OpenAIServer, Reply

ASK = {"question": "How much may a room in London cost per night?", "stream": True}
SLOW = Reply(tokens=("A room may cost 165 pounds [1]. ",) * 200, delay=0.1)
LONG = Reply(tokens=("A room may ", "cost 165 ", "pounds [1].") * 8, delay=0.2)
SECONDS = 60


def first_token(response: httpx.Response) -> Iterator[str]:
    """The lines of a stream, from behind its first token."""
    lines = response.iter_lines()
    assert next(lines) == "event: token"
    return lines


def test_a_client_that_leaves_stops_the_language_model(
    client: httpx.Client, llm: OpenAIServer
) -> None:
    llm.default = SLOW
    with client.stream("POST", "/v1/ask", json=ASK) as response:
        first_token(response)
        assert not llm.cut_off.is_set()
    assert llm.cut_off.wait(SECONDS)


def test_so_does_one_that_waits_for_the_whole_answer(
    client: httpx.Client, llm: OpenAIServer
) -> None:
    llm.default = SLOW
    with pytest.raises(httpx.ReadTimeout):
        client.post("/v1/ask", json={**ASK, "stream": False}, timeout=5)
    assert llm.cut_off.wait(SECONDS)


def test_and_one_of_openai(client: httpx.Client, llm: OpenAIServer) -> None:
    llm.default = SLOW
    body = {"model": "ragline", "messages": [{"role": "user", "content": ASK["question"]}]}
    path = "/v1/chat/completions"
    with client.stream("POST", path, json={**body, "stream": True}) as response:
        lines = response.iter_lines()
        assert '"role": "assistant"' in next(lines)
    assert llm.cut_off.wait(SECONDS)


@pytest.fixture(scope="module")
def busy_service(deployment: Path, llm_server: OpenAIServer) -> Iterator[Service]:
    """Two processes that answer one question each."""
    environment = {
        "RAG_LLM__BASE_URL": llm_server.url,
        "RAG_SERVER__MAX_CONCURRENT_QUESTIONS": "1",
    }
    with serving(deployment, "--workers", "2", environment=environment) as running:
        yield running


def test_more_questions_than_the_service_takes_are_sent_away(
    busy_service: Service, llm: OpenAIServer
) -> None:
    llm.default = SLOW
    with ExitStack() as stack:
        clients = [stack.enter_context(busy_service.client()) for _ in range(3)]
        responses = [
            stack.enter_context(client.stream("POST", "/v1/ask", json=ASK)) for client in clients
        ]
        refused = [response for response in responses if response.status_code != 200]
        assert 1 <= len(refused) <= 2
        for response in refused:
            problem = json.loads(response.read())
            assert response.status_code == problem["status"] == 503
            assert response.headers["retry-after"] == "1"
            assert problem["type"] == "urn:ragline:problem:busy"


def test_a_stream_is_finished_before_the_service_ends(
    busy_service: Service, llm: OpenAIServer
) -> None:
    llm.default = LONG
    with busy_service.client() as client, _asked(client) as response:
        lines = first_token(response)
        stopping = threading.Thread(target=busy_service.stop, args=(signal.SIGTERM,))
        stopping.start()
        rest = list(lines)
        stopping.join(SECONDS)
    assert "event: done" in rest
    assert "event: reset" not in rest
    whole = json.loads(rest[rest.index("event: done") + 1].removeprefix("data: "))
    assert whole["answer"].count("165") == 8
    assert busy_service.process.returncode == 0
    port = int(busy_service.url.rpartition(":")[2])
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert not busy_service.errors()


def _asked(client: httpx.Client) -> Any:
    """A stream that was taken: the one before may take a moment to end."""

    class Taken(ExitStack):
        def __enter__(self) -> Any:
            super().__enter__()
            for _ in range(600):
                response = self.enter_context(client.stream("POST", "/v1/ask", json=ASK))
                if response.status_code == 200:
                    return response
                self.pop_all().close()
                threading.Event().wait(0.1)
            raise AssertionError("the service stays busy")

    return Taken()


def test_workers_close_what_nobody_reads_any_more() -> None:
    closed, go_on = threading.Event(), threading.Event()

    def numbers() -> Generator[int, None, None]:
        try:
            for number in range(1000):
                yield number
                go_on.wait(SECONDS)
        finally:
            closed.set()

    async def read() -> list[int]:
        workers = Workers(1)
        async with aclosing(workers.stream(numbers)) as events:
            found = [await anext(events)]
            with pytest.raises(Busy):
                await workers.run(int)
        go_on.set()
        assert await asyncio.to_thread(closed.wait, SECONDS)
        while True:
            try:
                found.append(await workers.run(lambda: 7))
            except Busy:
                await asyncio.sleep(0.01)
                continue
            break
        workers.close()
        return found

    assert asyncio.run(read()) == [0, 7]


def test_workers_pass_errors_and_context_on() -> None:
    who: ContextVar[str] = ContextVar("who", default="nobody")

    def failing() -> Generator[str, None, None]:
        yield who.get()
        raise ValueError("later")

    async def read() -> list[str]:
        workers = Workers(2)
        who.set("somebody")
        found = [await workers.run(who.get)]
        events = workers.stream(failing)
        found.append(await anext(events))
        with pytest.raises(ValueError, match="later"):
            await anext(events)
        workers.close()
        return found

    assert asyncio.run(read()) == ["somebody", "somebody"]
