"""Clients that were made for OpenAI, unchanged, against a running server."""

import asyncio
import json
import subprocess
from pathlib import Path

import httpx
import openai
import pytest

from rag_assets.platform.platform import Platform
from tests.app.api.conftest import new_key
from tests.app.api.running import Service
from tests.query.openai_server import OpenAIServer, Reply

QUESTION = "How much may a room in London cost per night?"
MESSAGES = [{"role": "user", "content": QUESTION}]
LLAMA_PYTHON = Path(__file__).parents[3] / ".venv-llamaindex" / "bin" / "python"


@pytest.fixture
def said(llm: OpenAIServer) -> str:
    """What the language model says."""
    llm.default = Reply(tokens=("A room ", "may cost ", "165 pounds [1]."), usage=(70, 9))
    return "A room may cost 165 pounds [1]."


@pytest.fixture
def openai_client(service: Service) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{service.url}/v1", api_key="any", max_retries=0, timeout=120)


def test_the_official_client(openai_client: openai.OpenAI, said: str, live: int) -> None:
    assert [model.id for model in openai_client.models.list()] == [
        "ragline",
        "ragline-extractive",
        "ragline-llm",
    ]
    completion = openai_client.chat.completions.create(
        model="ragline", messages=MESSAGES, temperature=0.3, max_tokens=50, user="u-1", seed=7
    )
    text = completion.choices[0].message.content or ""
    assert text.startswith(said)
    assert "**Sources**\n\n- [1] Travel policy (`docs/travel.md`)" in text
    assert completion.choices[0].finish_reason == "stop"
    assert completion.system_fingerprint == f"release-{live}"
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.total_tokens) == (70, 79)
    whole = completion.model_extra["ragline"]
    assert whole["answer"] == said
    assert whole["citations"][0]["document_id"] == "docs/travel.md"
    assert completion.id == f"chatcmpl-{whole['answer_id']}"


def test_the_official_client_streams(openai_client: openai.OpenAI, said: str) -> None:
    chunks = list(
        openai_client.chat.completions.create(
            model="ragline",
            messages=MESSAGES,
            stream=True,
            stream_options={"include_usage": True},
            extra_body={"ragline": {"notes": False}},
        )
    )
    texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(texts) == said
    assert sum(1 for text in texts if text) >= 2
    assert len({chunk.id for chunk in chunks}) == 1
    ended = [chunk for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason]
    assert [chunk.choices[0].finish_reason for chunk in ended] == ["stop"]
    assert ended[0].model_extra["ragline"]["citations"][0]["document_id"] == "docs/travel.md"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 79


def test_the_official_client_asynchronously(service: Service, said: str) -> None:
    async def ask() -> tuple[str, str]:
        async with openai.AsyncOpenAI(
            base_url=f"{service.url}/v1", api_key="any", max_retries=0, timeout=120
        ) as client:
            whole = await client.chat.completions.create(model="ragline", messages=MESSAGES)
            pieces = [
                chunk.choices[0].delta.content or ""
                async for chunk in await client.chat.completions.create(
                    model="ragline", messages=MESSAGES, stream=True
                )
                if chunk.choices
            ]
            return whole.choices[0].message.content or "", "".join(pieces)

    whole, streamed = asyncio.run(ask())
    assert whole == streamed
    assert whole.startswith(said)


def test_a_conversation_keeps_its_subject(openai_client: openai.OpenAI) -> None:
    turns = [
        {"role": "system", "content": "You are a pirate."},
        {"role": "user", "content": "Which hotel costs are paid in London?"},
        {"role": "assistant", "content": "Up to 165 pounds [1]."},
        {"role": "user", "content": [{"type": "text", "text": "And in Germany?"}]},
    ]
    completion = openai_client.chat.completions.create(model="ragline-extractive", messages=turns)
    assert "135 euros" in (completion.choices[0].message.content or "")
    lineage = httpx.get(
        f"{openai_client.base_url}answers/{completion.model_extra['ragline']['answer_id']}/lineage",
        timeout=60,
    ).json()
    assert lineage["question"] == "Which hotel costs are paid in London? And in Germany?"


def test_errors_are_those_that_the_client_knows(
    openai_client: openai.OpenAI, guarded: Service
) -> None:
    chat = openai_client.chat.completions
    with pytest.raises(openai.NotFoundError) as missing:
        chat.create(model="gpt-4", messages=MESSAGES)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as empty:
        chat.create(model="ragline", messages=[{"role": "system", "content": "x"}])
    assert empty.value.code == "invalid_question"
    with pytest.raises(openai.BadRequestError) as invalid:
        chat.create(model="ragline", messages=[])
    assert invalid.value.param == "messages"
    with pytest.raises(openai.BadRequestError):
        chat.create(
            model="ragline", messages=MESSAGES, stream=True, extra_body={"ragline": {"x": 1}}
        )
    stranger = openai.OpenAI(base_url=f"{guarded.url}/v1", api_key="sk-wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        stranger.chat.completions.create(model="ragline", messages=MESSAGES)


def test_a_key_of_the_service_is_a_key_of_the_client(guarded: Service, platform: Platform) -> None:
    question = [{"role": "user", "content": "Where does the marmalade band start?"}]
    for groups, allowed in (((), False), (("hr",), True)):
        client = openai.OpenAI(
            base_url=f"{guarded.url}/v1", api_key=new_key(platform, groups), timeout=120
        )
        said = client.chat.completions.create(model="ragline", messages=question)
        assert ("81,234" in said.model_dump_json()) is allowed
        assert "ragline-llm" not in {model.id for model in client.models.list()}


def test_langchain(service: Service, said: str) -> None:
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(base_url=f"{service.url}/v1", api_key="any", model="ragline", timeout=120)
    answer = model.invoke(QUESTION)
    assert str(answer.content).startswith(said)
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["total_tokens"] == 79
    pieces = [str(chunk.content) for chunk in model.stream(QUESTION)]
    assert "".join(pieces) == answer.content
    assert len([piece for piece in pieces if piece]) >= 2


LLAMA = """
import json, sys
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike

model = OpenAILike(
    model="ragline", api_base=sys.argv[1], api_key="any", is_chat_model=True, timeout=120
)
messages = [ChatMessage(role="user", content=sys.argv[2])]
whole = model.chat(messages).message.content
pieces = [piece.delta for piece in model.stream_chat(messages)]
print(json.dumps({"whole": whole, "pieces": pieces}))
"""


def test_llamaindex(service: Service, said: str) -> None:
    if not LLAMA_PYTHON.exists():
        pytest.skip("LlamaIndex is not installed: run 'make llamaindex'")
    done = subprocess.run(
        [str(LLAMA_PYTHON), "-c", LLAMA, f"{service.url}/v1", QUESTION],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["whole"].startswith(said)
    assert "".join(answer["pieces"]) == answer["whole"]
    assert len([piece for piece in answer["pieces"] if piece]) >= 2


def test_curl(service: Service, said: str) -> None:
    body = json.dumps({"model": "ragline", "messages": MESSAGES, "stream": True})
    done = subprocess.run(
        [
            *("curl", "-sSN", f"{service.url}/v1/chat/completions", "-d", body),
            *("-H", "Content-Type: application/json"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    data = [line.removeprefix("data: ") for line in done.stdout.splitlines() if line]
    assert data[-1] == "[DONE]"
    deltas = [json.loads(line)["choices"][0]["delta"] for line in data[:-1]]
    assert "".join(delta.get("content", "") for delta in deltas).startswith(said)
