"""How a judge is reached: its name, its key, its replies."""

import asyncio
import logging

import pytest
from pydantic import BaseModel

from evals.judges.client import InvalidReply, JudgeClient, JudgeFailed
from evals.judges.registry import NAMES, chosen_names
from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.settings import JudgeSettings
from tests.evals.judges.judge_server import MODEL, Fault, JudgeServer

KEY = "sk-of-the-test"


class Answer(BaseModel):
    text: str


def ask(client: JudgeClient, prompt: str = "What?") -> Answer:
    async def once() -> Answer:
        try:
            return await client.complete(prompt, Answer)
        finally:
            await client.close()

    return asyncio.run(once())


@pytest.fixture
def client(judge: JudgeServer) -> JudgeClient:
    judge.replies["Answer"] = {"text": "So."}
    return JudgeClient(JudgeSettings(base_url=judge.url, api_key=KEY, max_tokens=99))  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["", "localhost:8000/v1", "ftp://judge/v1", "http://"])
def test_no_http_address_is_no_judge(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"judge\.base_url"):
        JudgeClient(JudgeSettings(base_url=url))


def test_the_judges_name_has_no_credentials() -> None:
    settings = JudgeSettings(base_url="https://me:secret@judge:8000/v1/", model="m", api_key=KEY)  # type: ignore[arg-type]

    assert JudgeClient(settings).identity == "m@judge:8000/v1"


def test_the_only_model_of_the_server_judges(judge: JudgeServer, client: JudgeClient) -> None:
    assert client.identity.startswith("?@")

    ask(client)

    assert client.identity == f"{MODEL}@127.0.0.1:{judge.port}/v1"
    assert judge.requests[0]["model"] == MODEL
    assert judge.requests[0]["max_tokens"] == 99
    assert judge.requests[0]["temperature"] == 0


@pytest.mark.parametrize("models", [[], ["a", "b"]])
def test_a_server_with_other_than_one_model_needs_a_name(
    judge: JudgeServer, client: JudgeClient, models: list[str]
) -> None:
    judge.models = models

    with pytest.raises(ConfigurationError, match=r"judge\.model"):
        ask(client)


def test_the_key_is_sent_and_neither_logged_nor_told(
    judge: JudgeServer, client: JudgeClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    judge.faults = lambda name, prompt: Fault(status=401, text=f"the key {KEY} is wrong")

    with pytest.raises(JudgeFailed) as caught:
        ask(client)

    assert judge.headers[0]["authorization"] == f"Bearer {KEY}"
    assert "the key *** is wrong" in str(caught.value)
    assert KEY not in str(caught.value)
    assert KEY not in caplog.text


def test_without_a_key_none_is_taken_from_elsewhere(
    judge: JudgeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another")
    monkeypatch.setenv("OPENAI_ORG_ID", "another")
    judge.replies["Answer"] = {"text": "So."}

    ask(JudgeClient(JudgeSettings(base_url=judge.url)))

    assert "authorization" not in judge.headers[0]
    assert "openai-organization" not in judge.headers[0]


@pytest.mark.parametrize(
    "text",
    [
        '{"text": "So."}',
        '```json\n{"text": "So."}\n```',
        '<think>It may be {this} or that.</think>\n{"text": "So."}',
    ],
)
def test_a_reply_may_have_words_around_it(
    judge: JudgeServer, client: JudgeClient, text: str
) -> None:
    judge.faults = lambda name, prompt: Fault(text=text)

    assert ask(client).text == "So."


@pytest.mark.parametrize("text", ["So.", '{"other": 1}', '{"text": "So."', " "])
def test_other_replies_are_invalid(judge: JudgeServer, client: JudgeClient, text: str) -> None:
    judge.faults = lambda name, prompt: Fault(text=text)

    with pytest.raises(InvalidReply):
        ask(client)


def test_one_client_serves_one_event_loop_after_another(client: JudgeClient) -> None:
    assert [ask(client).text for _ in range(3)] == ["So."] * 3


def test_broken_text_is_sent_all_the_same(judge: JudgeServer, client: JudgeClient) -> None:
    ask(client, "half of a character: \ud800")

    assert judge.prompts()[0].startswith("half of a character")


class TestNames:
    def test_are_chosen_by_patterns_once_and_in_order(self) -> None:
        assert chosen_names(["deepeval.hallucination", "ragas.*", "ragas.faithfulness"]) == [
            *[name for name in NAMES if name.startswith("ragas.")],
            "deepeval.hallucination",
        ]
        assert chosen_names(["ragas.*", "deepeval.*"]) == list(NAMES)
        assert chosen_names([]) == []

    def test_that_are_unknown_are_told_with_the_known_ones(self) -> None:
        with pytest.raises(ConfigurationError) as caught:
            chosen_names(["ragas.*", "ragas.faithfullness"])

        assert "'ragas.faithfullness'" in str(caught.value)
        assert all(name in str(caught.value) for name in NAMES)
