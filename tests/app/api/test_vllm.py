"""A real vLLM server behind a running service: tokens as they come, a client that leaves, its death."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.app.api.running import Service, serving
from tests.vllm.server import VLLMServer

pytestmark = pytest.mark.vllm

QUESTION = "How much may a room in London cost per night?"
SECONDS = 60
LONG = 3000  # tokens: an answer takes seconds


@pytest.fixture(scope="module")
def with_vllm(deployment: Path, running_vllm: Callable[[], VLLMServer]) -> Iterator[Service]:
    environment = {
        "RAG_LLM__BASE_URL": running_vllm().url,
        "RAG_LLM__MAX_ANSWER_TOKENS": str(LONG),
        "RAG_CACHE__ENABLED": "false",
    }
    with serving(deployment, environment=environment) as service:
        yield service


def test_tokens_come_while_vllm_writes(with_vllm: Service, vllm_server: VLLMServer) -> None:
    before = vllm_server.generated_tokens()
    with openai.OpenAI(base_url=f"{with_vllm.url}/v1", api_key="x", timeout=SECONDS) as client:
        chunks = list(
            client.chat.completions.create(
                model="ragline-llm",
                messages=[{"role": "user", "content": QUESTION}],
                stream=True,
                stream_options={"include_usage": True},
            )
        )
    texts = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert len([text for text in texts if text]) > 3
    assert chunks[-1].usage is not None
    written = vllm_server.generated_tokens() - before
    assert chunks[-1].usage.completion_tokens == written > 0


def test_vllm_stops_when_the_client_leaves(with_vllm: Service, vllm_server: VLLMServer) -> None:
    body = {"question": QUESTION, "answerer": "llm", "stream": True}
    before = vllm_server.generated_tokens()
    with vllm_server.slowed():
        with (
            with_vllm.client() as client,
            client.stream("POST", "/v1/ask", json=body) as response,
        ):
            lines = response.iter_lines()
            assert next(lines) == "event: token"
            assert "text" in json.loads(next(lines).removeprefix("data: "))
        end = time.monotonic() + SECONDS
        while vllm_server.running_requests() and time.monotonic() < end:
            time.sleep(0.05)
        assert vllm_server.running_requests() == 0
    assert vllm_server.generated_tokens() - before < LONG // 2


def test_killed_in_mid_answer_it_gives_way_to_quotations(
    with_vllm: Service, vllm_server: VLLMServer
) -> None:
    """The last one, for it needs the server for itself."""
    body = {"question": QUESTION, "answerer": "llm", "stream": True}
    lines: list[str] = []

    def read() -> None:
        with (
            with_vllm.client() as client,
            client.stream("POST", "/v1/ask", json=body) as response,
        ):
            for line in response.iter_lines():
                lines.append(line)

    reading = threading.Thread(target=read)
    with vllm_server.slowed():
        reading.start()
        until = time.monotonic() + SECONDS
        while "event: token" not in lines and time.monotonic() < until:
            time.sleep(0.01)
        assert "event: token" in lines
        assert "event: done" not in lines
        started = time.monotonic()
        vllm_server.kill()
        reading.join()
    print(f"\nmeasured: vLLM: killed in mid-answer, whole: {time.monotonic() - started:.2f} s")
    # what was written until then is void
    assert "event: reset" in lines
    done = json.loads(lines[lines.index("event: done") + 1].removeprefix("data: "))
    assert_quoted(done, "llm_broken_off")

    for number in range(2):
        started = time.monotonic()
        again = with_vllm.client().post("/v1/ask", json=body | {"stream": False})
        seconds = time.monotonic() - started
        print(f"measured: vLLM: killed, answer {number + 1}: {seconds:.2f} s")
        assert again.status_code == 200
        assert_quoted(again.json(), "llm_unreachable")
    with with_vllm.client() as client:
        assert client.get("/readyz").status_code == 200
        numbers = client.get("/metrics").text
    assert 'ragline_degradations_total{kind="llm_broken_off"} 1.0' in numbers
    assert 'ragline_degradations_total{kind="llm_unreachable"} 2.0' in numbers
    assert not with_vllm.errors()


def assert_quoted(answer: dict[str, Any], degraded: str) -> None:
    assert answer["degraded"] == [degraded]
    assert answer["answerer"] == "extractive"
    assert "165 pounds" in answer["answer"]
    assert answer["citations"][0]["document_id"] == "docs/travel.md"
