"""Whatever is asked, by whatever path: nothing that the caller may not read comes back."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from rag_assets.platform.errors import RaglineError
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import LLMSettings, QuerySettings
from rag_assets.query.access import Caller
from rag_assets.query.answer import Answer
from rag_assets.query.answering import Reset, Token
from rag_assets.query.engine import QueryEngine
from tests.query.openai_server import OpenAIServer, Reply
from tests.query.restricted import ACLS, canary, changed, forbidden_words, released

CALLERS = st.builds(
    Caller,
    groups=st.frozensets(
        st.sampled_from(["people", "board", "security", "o'neil", "Public", "') OR 1=1 --"])
    ),
    admin=st.booleans(),
    authenticated=st.booleans(),
)
WORDS = st.sampled_from(
    [*map(canary, ACLS), "policy", "limit", "contract", "kept", "ten years", "OR", '"', "' OR 1=1"]
)
QUESTIONS = st.lists(WORDS, min_size=1, max_size=5).map(" ".join)
NAMES = st.sampled_from(sorted(ACLS))
FILTERS = st.one_of(
    st.just(""),
    NAMES.map(lambda name: f'word = "{canary(name)}"'),
    NAMES.map(lambda name: f'source = "docs" or path contains "{canary(name)}"'),
    NAMES.map(lambda name: f'not title = "{canary(name)}"'),
    NAMES.map(
        lambda name: f'document = "docs/{canary(name)}.md" or page exists or not page exists'
    ),
)
QUERY = st.builds(
    dict,
    neighbours=st.sampled_from([0, 1, 3]),
    near_duplicate=st.sampled_from([0.5, 0.9, 1.0]),
    reranker=st.sampled_from(["none", "late_interaction", "term_overlap"]),
    expansion=st.sampled_from(["none", "multi_query", "hyde"]),
    fusion=st.sampled_from(["weighted", "rrf"]),
    fusion_weight=st.sampled_from([0.0, 0.5, 1.0]),
)


class Echo(OpenAIServer):
    """A model that repeats what it is shown, word for word, and cites everything."""

    async def chat(self, request: Request) -> Response:
        body = await request.json()
        self.requests.append(body)
        shown = body["messages"][-1]["content"]
        reply = Reply(tokens=(shown, " [1] [2] [3] [9]"))
        return StreamingResponse(self._stream(reply, body), media_type="text/event-stream")


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    with Echo().running() as server:
        yield server  # type: ignore[misc]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Platform:
    return released(tmp_path_factory.mktemp("restricted"), model_cache)


def with_settings(platform: Platform, query: dict[str, Any], llm_url: str) -> Platform:
    """The same deployment with other query settings and an LLM."""
    llm = LLMSettings(base_url=llm_url, model="tiny", max_answer_tokens=50)
    return changed(platform, query=QuerySettings(**query), llm=llm)


def everything_said(engine: QueryEngine, question: str, caller: Caller, filter: str) -> list[str]:
    """All that a caller can see of one question, by every path, as text."""
    said: list[str] = []
    for answerer in ("extractive", "llm"):
        for event in engine.stream(question, caller, filter=filter, answerer=answerer):
            if isinstance(event, Token):
                said.append(event.text)
            elif isinstance(event, Reset):
                said.append(event.reason)
            elif isinstance(event, Answer):
                said.append(json.dumps(event.to_dict(), ensure_ascii=False))
                lineage = engine.lineage(event.answer_id, caller)
                said.append(json.dumps(lineage.to_dict(), ensure_ascii=False, default=str))
    hits = engine.search(question, caller, 20, filter=filter)
    said += [json.dumps(hit.to_dict(), ensure_ascii=False) for hit in hits]
    _, found = engine.retrieve_documents(question, caller, 20, filter=filter)
    said += [json.dumps(dataclasses.asdict(item), default=str) for item in found]
    retrieval = engine.retrieve(question, caller, filter=filter)
    said.append(" ".join(retrieval.candidates.document_id))
    return said


def test_no_path_leads_to_what_a_caller_may_not_read(platform: Platform, echo: Echo) -> None:
    seen: set[str] = set()

    @given(question=QUESTIONS, filter=FILTERS, caller=CALLERS, query=QUERY)
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    def judge(question: str, filter: str, caller: Caller, query: dict[str, Any]) -> None:
        echo.requests.clear()
        engine = QueryEngine(with_settings(platform, query, echo.url))
        asked = question + filter
        said = everything_said(engine, question, caller, filter)
        prompts = [json.dumps(request, ensure_ascii=False) for request in echo.requests]
        for word in forbidden_words(caller):
            if word not in asked:  # what the caller says himself may be repeated to him
                leaks = [text for text in (*said, *prompts) if word in text]
                assert not leaks, f"{word} reached {caller}: {leaks[0][:400]}"
        seen.update(word for word in map(canary, ACLS) if any(word in text for text in said))

    judge()
    # the judge can see: what may be read was found by somebody
    assert {canary("welcome"), canary("salaries"), canary("merger")} <= seen


def test_the_ids_and_documents_of_results_are_readable_ones(platform: Platform, echo: Echo) -> None:
    """The words a caller uses himself do not hide a leak: here the rows themselves are judged."""
    engine = QueryEngine(with_settings(platform, {}, echo.url))
    everybody = " ".join(map(canary, ACLS))
    for caller in (Caller(), Caller.of(["people"]), Caller.of(["board"], authenticated=True)):
        readable = {f"docs/{canary(name)}.md" for name in ACLS} - {
            f"docs/{word}.md" for word in forbidden_words(caller)
        }
        hits = engine.search(everybody, caller, 100)
        assert {hit.document_id for hit in hits} == readable
        for answerer in ("extractive", "llm"):
            answer = engine.ask(everybody, caller, 20, answerer=answerer)
            named = [*answer.citations, *answer.closest]
            assert {citation.document_id for citation in named} <= readable
            assert {name for citation in named for name in citation.copies} <= readable


def test_somebody_elses_answer_is_not_told(platform: Platform, echo: Echo) -> None:
    engine = QueryEngine(with_settings(platform, {}, echo.url))
    board = Caller.of(["board"])
    answer = engine.ask("What is the limit?", board, filter=f'word = "{canary("merger")}"')
    assert canary("merger") in json.dumps(answer.to_dict())
    assert canary("merger") in json.dumps(
        engine.lineage(answer.answer_id, board).to_dict(), default=str
    )
    for caller in (Caller(), Caller.of(["people"]), Caller.of(["board2"], authenticated=True)):
        with pytest.raises(RaglineError) as told:
            engine.lineage(answer.answer_id, caller)
        with pytest.raises(RaglineError) as unknown:
            engine.lineage("0" * 32, caller)
        assert str(told.value).replace(answer.answer_id, "") == str(unknown.value).replace(
            "0" * 32, ""
        )


def test_a_copy_that_may_be_read_is_named_and_another_one_is_not(
    platform: Platform, echo: Echo
) -> None:
    engine = QueryEngine(with_settings(platform, {}, echo.url))
    question = "How long are copies of the contract kept in the archive of the company?"
    twice, once = f"docs/{canary('copy-board')}.md", f"docs/{canary('copy-public')}.md"
    named: dict[str, set[str]] = {}
    for group in ("board", "people"):
        answer = engine.ask(question, Caller.of([group]), answerer="extractive")
        documents = {citation.document_id for citation in answer.citations}
        named[group] = documents.union(*(citation.copies for citation in answer.citations))
    assert named["board"] >= {once, twice}
    assert once in named["people"]
    assert twice not in named["people"]
