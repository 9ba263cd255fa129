"""Query expansion against a real, scripted server."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.platform.errors import ConfigurationError, RaglineError
from rag_assets.platform.settings import LLMSettings
from rag_assets.query.answerers.base import AnswererUnavailable
from rag_assets.query.answerers.client import Completion, LLMClient
from rag_assets.query.retrieval.expansion import (
    PASSAGE_CHARS,
    QUERY_CHARS,
    REPHRASINGS,
    ExpansionError,
    expand,
    parse_queries,
)

from .openai_server import OpenAIServer, Reply, json_reply

QUESTION = "How many days of holiday do I have?"


@pytest.fixture
def client(server: OpenAIServer) -> LLMClient:
    return LLMClient(LLMSettings(base_url=server.url, retries=0))


class TestMultiQuery:
    def test_json(self, server: OpenAIServer, client: LLMClient) -> None:
        queries = ["length of annual leave", "vacation entitlement", "days off a year"]
        server.script = [json_reply({"queries": queries})]
        assert expand(QUESTION, "multi_query", client) == queries
        sent = server.requests[0]
        assert sent["messages"][1] == {"role": "user", "content": QUESTION}
        assert sent["response_format"]["type"] == "json_schema"

    @pytest.mark.parametrize(
        "text",
        [
            "1. leave days\n2. vacation entitlement\n",
            'Sure, here they are:\n\n- "leave days"\n- "vacation entitlement"\n\nHope it helps!',
            "leave days\nvacation entitlement",
            '```json\n["leave days", "vacation entitlement"]\n```',
            '{"queries": ["leave days", 7, "vacation entitlement", null]}',
        ],
    )
    def test_other_forms(self, server: OpenAIServer, client: LLMClient, text: str) -> None:
        server.script = [Reply(tokens=(text,))]
        assert expand(QUESTION, "multi_query", client) == ["leave days", "vacation entitlement"]

    def test_bounded_and_distinct(self, server: OpenAIServer, client: LLMClient) -> None:
        queries = [
            *(QUESTION.upper(), "leave days", "Leave days?", "", "  ", "words " * 500),
            *("third", "fourth", "fifth"),
        ]
        server.script = [json_reply({"queries": queries})]
        found = expand(QUESTION, "multi_query", client)
        assert found[0] == "leave days"
        assert found[2] == "third"
        assert len(found) == REPHRASINGS
        assert QUERY_CHARS - 10 < len(found[1]) <= QUERY_CHARS

    @pytest.mark.parametrize("text", ["", "\n \n", '{"queries": []}', QUESTION, '{"queries": [1]}'])
    def test_nothing_of_use(self, server: OpenAIServer, client: LLMClient, text: str) -> None:
        server.script = [Reply(tokens=(text,))]
        with pytest.raises(ExpansionError) as caught:
            expand(QUESTION, "multi_query", client)
        assert isinstance(caught.value, RaglineError)
        assert caught.value.hint


class TestHyde:
    def test_passage(self, server: OpenAIServer, client: LLMClient) -> None:
        server.script = [Reply(tokens=("Employees have\n", "thirty days of holiday."))]
        assert expand(QUESTION, "hyde", client) == ["Employees have thirty days of holiday."]
        assert "response_format" not in server.requests[0]

    def test_bounded(self, server: OpenAIServer, client: LLMClient) -> None:
        server.script = [Reply(tokens=("word " * 5000,))]
        (passage,) = expand(QUESTION, "hyde", client)
        assert PASSAGE_CHARS - 10 < len(passage) <= PASSAGE_CHARS

    def test_nothing_of_use(self, server: OpenAIServer, client: LLMClient) -> None:
        server.script = [Reply(tokens=(" \n",))]
        with pytest.raises(ExpansionError):
            expand(QUESTION, "hyde", client)


@pytest.mark.parametrize("kind", ["multi_query", "hyde"])
def test_server_that_is_down(server: OpenAIServer, client: LLMClient, kind: str) -> None:
    server.script = [Reply(status=500)]
    with pytest.raises(AnswererUnavailable):
        expand(QUESTION, kind, client)


def test_unknown_kind(server: OpenAIServer, client: LLMClient) -> None:
    with pytest.raises(ConfigurationError, match="'telepathy'"):
        expand(QUESTION, "telepathy", client)
    assert server.requests == []


class Fixed:
    """Says what it was given: only the text matters to the property."""

    def __init__(self, text: str) -> None:
        self._text = text

    def complete(self, messages: object, max_tokens: int, schema: object = None) -> Completion:
        return Completion(self._text)


@given(text=st.one_of(st.text(), st.lists(st.text()).map(lambda q: json.dumps({"queries": q}))))
def test_whatever_is_written_gives_few_distinct_queries(text: str) -> None:
    try:
        found = expand(QUESTION, "multi_query", Fixed(text))
    except ExpansionError:
        return
    assert 1 <= len(found) <= REPHRASINGS
    assert len({query.casefold() for query in found}) == len(found)
    assert all(query == query.strip() and 0 < len(query) <= QUERY_CHARS for query in found)
    "".join(found).encode()


@given(text=st.text(alphabet='[]{}",: \n1a'))
def test_any_brackets_can_be_read(text: str) -> None:
    assert all(isinstance(query, str) for query in parse_queries(text))
