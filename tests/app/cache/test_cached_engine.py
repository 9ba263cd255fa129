"""What is kept and what is not, who waits for whom, and what is left in the log."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from rag_app.cache import CachedEngine, Caches
from rag_assets.erasure.requests import ErasureRequests
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import CacheSettings, LLMSettings, QuerySettings
from rag_assets.query.access import Caller
from rag_assets.query.answer import Answer, Token
from rag_assets.query.engine import QueryEngine
from rag_assets.query.log import CACHED_FROM, AnswerLog, answers
from tests.query.openai_server import OpenAIServer, Reply
from tests.query.restricted import canary, changed

QUESTION = "What is the limit?"


def cached(platform: Platform, caches: Caches | None = None) -> CachedEngine:
    return CachedEngine(QueryEngine(platform), platform, caches)


def with_llm(platform: Platform, llm: OpenAIServer, **query: Any) -> Platform:
    settings = LLMSettings(base_url=llm.url, model="tiny", retries=0, timeout_seconds=30)
    return changed(platform, llm=settings, query=QuerySettings(**query))


def rows(platform: Platform) -> int:
    with platform.database.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(answers)).scalar_one())


def test_the_second_answer_costs_no_call_and_streams(platform: Platform, llm: OpenAIServer) -> None:
    llm.reset()
    engine = cached(with_llm(platform, llm))
    first = engine.ask(QUESTION, Caller())
    events = list(engine.stream(QUESTION, Caller()))
    assert len(llm.requests) == 1
    assert [type(event) for event in events] == [Token, Answer]
    assert isinstance(events[-1], Answer)
    assert events[0] == Token(first.answer)
    assert events[-1].citations == first.citations
    assert events[-1].usage.prompt_tokens == 0 < first.usage.prompt_tokens
    assert events[-1].answer_id != first.answer_id


def test_everything_that_shapes_an_answer_is_in_its_key(
    platform: Platform, llm: OpenAIServer
) -> None:
    llm.reset()
    engine = cached(with_llm(platform, llm))
    calls: list[dict[str, Any]] = [
        {},
        {"limit": 2},
        {"filter": 'source = "docs"'},
        {"task": "support"},
        {"answerer": "extractive"},
    ]
    for options in calls * 2:
        limit = options.get("limit")
        rest = {name: value for name, value in options.items() if name != "limit"}
        engine.ask(QUESTION, Caller(), limit, **rest)
    assert len(llm.requests) == 4  # one answer is quoted
    for caller in (
        Caller.of(["people"]),
        Caller(admin=True),
        Caller(authenticated=True),
        Caller.of(["people"]),
    ):
        engine.ask(QUESTION, caller)
    assert len(llm.requests) == 7


def test_a_degraded_answer_is_not_kept_and_an_abstention_is(
    platform: Platform, llm: OpenAIServer
) -> None:
    llm.reset(Reply(status=500))
    engine = cached(with_llm(platform, llm))
    assert engine.ask(QUESTION, Caller()).degraded == ["llm_server_error"]
    assert engine.ask(QUESTION, Caller()).degraded == []
    assert len(llm.requests) == 2
    nothing = 'title = "there is no such title"'
    first = engine.ask(QUESTION, Caller(), filter=nothing)
    again = engine.ask(QUESTION, Caller(), filter=nothing)
    assert first.abstained
    assert again.abstained
    assert "cache" in again.timings_ms


def test_an_answer_that_its_reader_breaks_off_is_not_kept(
    platform: Platform, llm: OpenAIServer
) -> None:
    llm.reset()
    engine = cached(with_llm(platform, llm))
    stream = engine.stream(QUESTION, Caller())
    assert isinstance(next(stream), Token)
    stream.close()
    assert "cache" not in engine.ask(QUESTION, Caller()).timings_ms


def test_a_stampede_makes_one_call(platform: Platform, llm: OpenAIServer) -> None:
    llm.reset(default=replace(Reply(), delay=0.3))
    engine = cached(with_llm(platform, llm))
    engine.warm_up()
    found: list[Answer] = []
    threads = [
        threading.Thread(target=lambda: found.append(engine.ask(QUESTION, Caller())))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(llm.requests) == 1
    assert len({answer.answer_id for answer in found}) == 12
    assert len({answer.answer for answer in found}) == 1


def test_a_stampede_on_what_cannot_be_kept_ends(platform: Platform, llm: OpenAIServer) -> None:
    llm.reset(default=Reply(status=500))
    engine = cached(with_llm(platform, llm))
    found: list[Answer] = []
    threads = [
        threading.Thread(target=lambda: found.append(engine.ask(QUESTION, Caller())))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(answer.degraded for answer in found)
    assert len(found) == 6


def test_every_repetition_has_a_lineage_of_its_own(platform: Platform) -> None:
    engine = cached(platform)
    board = Caller.of(["board"])
    question = f"What is the limit of {canary('merger')}?"
    first = engine.ask(question, board)
    again = engine.ask(question, board)
    assert "cache" in again.timings_ms
    one, two = (engine.lineage(item.answer_id, board) for item in (first, again))
    assert two.passages == one.passages
    assert two.documents == one.documents
    assert two.citations == one.citations
    assert (two.question, two.answer) == (question, first.answer)
    assert two.cached_from == ""  # other answers are nobody's business but the administrator's
    admin = engine.lineage(again.answer_id, Caller(admin=True))
    assert admin.cached_from == first.answer_id
    other = Caller.of(["people"])
    withheld = [engine.lineage(item.answer_id, other).withheld for item in (first, again)]
    assert withheld[0] == withheld[1] > 0
    assert engine.lineage(again.answer_id, other).answer is None
    record = AnswerLog(platform.database).get(again.answer_id)
    assert record is not None
    assert record.parameters[CACHED_FROM] == first.answer_id
    assert (record.cost_usd, record.prompt_tokens) == (0, 0)
    assert record.asked_at > datetime.now(UTC) - timedelta(minutes=10)


@pytest.mark.parametrize("mode", ["hashed", "off"])
def test_the_log_keeps_no_more_of_a_repetition_than_of_an_answer(
    platform: Platform, mode: str
) -> None:
    other = changed(platform, query=QuerySettings(log=mode))  # type: ignore[arg-type]
    engine, before = cached(other), rows(platform)
    first, again = engine.ask(QUESTION, Caller()), engine.ask(QUESTION, Caller())
    assert "cache" in again.timings_ms
    assert rows(platform) == before + (0 if mode == "off" else 2)
    if mode == "hashed":
        log = AnswerLog(platform.database)
        one, two = log.get(first.answer_id), log.get(again.answer_id)
        assert one is not None
        assert two is not None
        assert (two.question, two.answer) == (None, None)
        assert two.question_sha256 == one.question_sha256
        assert two.citations == one.citations


def test_a_log_that_cannot_be_written_costs_the_lineage_only(
    own_platform: Platform,
) -> None:
    engine = cached(own_platform)
    engine.ask(QUESTION, Caller())
    with own_platform.database.begin() as connection:
        connection.execute(sa.text("ALTER TABLE answers RENAME TO elsewhere"))
    again = engine.ask(QUESTION, Caller())
    assert "cache" in again.timings_ms
    assert again.degraded == ["log_failed"]


@pytest.mark.parametrize("log_works", [True, False])
def test_what_was_kept_before_a_request_to_forget_is_not_given_after_it(
    own_platform: Platform, log_works: bool
) -> None:
    engine, asked = cached(own_platform), ErasureRequests(own_platform.database)
    engine.ask(QUESTION, Caller())
    assert "cache" in engine.ask(QUESTION, Caller()).timings_ms
    if not log_works:
        with own_platform.database.begin() as connection:
            connection.execute(sa.text("ALTER TABLE answers RENAME TO elsewhere"))
    asked.open("docs/other.md", within_days=1)
    assert "cache" not in engine.ask(QUESTION, Caller()).timings_ms
    if log_works:
        assert "cache" in engine.ask(QUESTION, Caller()).timings_ms
    asked.lift("docs/other.md")
    assert "cache" not in engine.ask(QUESTION, Caller()).timings_ms


def test_vectors_of_questions_are_made_once(platform: Platform) -> None:
    looks: list[tuple[str, str]] = []
    engine = cached(platform, Caches(platform, lambda *look: looks.append(look)))
    for caller in (Caller(), Caller.of(["people"]), Caller(admin=True)):
        engine.retrieve(QUESTION, caller)
    vectors = [result for name, result in looks if name == "vectors"]
    assert vectors == ["miss", "hit", "hit"]


def test_similar_questions_share_an_answer_only_when_asked_for(platform: Platform) -> None:
    other = "What is the limit"
    plain = cached(platform)
    plain.ask(QUESTION, Caller())
    assert "cache" not in plain.ask(other, Caller()).timings_ms
    settings = CacheSettings(semantic=True, semantic_similarity=0.9)
    engine = cached(changed(platform, cache=settings))
    engine.ask(QUESTION, Caller())
    assert "cache" in engine.ask(other, Caller()).timings_ms
    # neither across rights nor where numbers differ
    assert "cache" not in engine.ask(other, Caller.of(["board"])).timings_ms
    engine.ask("What is the limit in 2025?", Caller())
    assert "cache" not in engine.ask("What is the limit in 2026?", Caller()).timings_ms


def test_what_could_not_be_traced_any_more_is_answered_anew(own_platform: Platform) -> None:
    engine = cached(own_platform)
    first = engine.ask(QUESTION, Caller())
    with own_platform.database.begin() as connection:
        connection.execute(sa.delete(answers).where(answers.c.answer_id == first.answer_id))
    again = engine.ask(QUESTION, Caller())
    assert "cache" not in again.timings_ms
    assert again.answer == first.answer
    third = engine.ask(QUESTION, Caller())
    assert "cache" in third.timings_ms
    assert engine.lineage(third.answer_id, Caller(admin=True)).cached_from == again.answer_id
