"""A cache in a real Redis: shared, forgotten with the documents, and never more than a delay."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import redis

from rag_app.cache import CachedEngine, Caches, cached_engine
from rag_app.cache.redis_store import TIMEOUT_SECONDS, RedisStore
from rag_assets.erasure.base import Subject
from rag_assets.platform.errors import StorageError
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import CacheSettings, LLMSettings
from rag_assets.query.access import Caller
from rag_assets.query.answer import Answer
from rag_assets.query.engine import QueryEngine
from rag_assets.query.erasure import CachedAnswersEraser
from rag_jobs.forgetting.forget import forget
from rag_jobs.forgetting.places import all_erasers
from tests.app.cache.conftest import Redis
from tests.query.openai_server import OpenAIServer, Reply
from tests.query.restricted import canary, changed

QUESTION = "What is the limit?"


def with_redis(platform: Platform, server: Redis) -> Platform:
    return changed(platform, cache=CacheSettings(redis_url=server.url))  # type: ignore[arg-type]


def cached(platform: Platform) -> CachedEngine:
    """As another process has it: with nothing of its own."""
    return CachedEngine(QueryEngine(platform), platform, Caches(platform))


def test_processes_share_answers_and_vectors(platform: Platform, redis_server: Redis) -> None:
    shared = with_redis(platform, redis_server)
    first = cached(shared).ask(QUESTION, Caller())
    again = cached(shared).ask(QUESTION, Caller())
    assert "cache" in again.timings_ms
    assert again.citations == first.citations
    client = redis.Redis.from_url(redis_server.url)
    keys = [key.decode() for key in client.scan_iter()]
    assert {key.split(":")[2] for key in keys} == {"answer", "vector"}
    assert all(key.startswith(f"ragline:{platform.deployment_id}:") for key in keys)
    assert all(client.pttl(key) > 0 for key in keys)
    assert "sk-" not in repr([client.get(key) for key in keys])


def test_what_is_not_ours_in_redis_is_a_miss(platform: Platform, redis_server: Redis) -> None:
    shared = with_redis(platform, redis_server)
    cached(shared).ask(QUESTION, Caller())
    client = redis.Redis.from_url(redis_server.url)
    for key in list(client.scan_iter()):
        client.set(key, b"\x80\x04\x95 no answer")
    assert "cache" not in cached(shared).ask(QUESTION, Caller()).timings_ms


def test_two_processes_make_an_answer_once(
    platform: Platform, redis_server: Redis, llm: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # however busy the machine is
    monkeypatch.setattr(cached_engine, "OTHERS_SECONDS", 300.0)
    monkeypatch.setattr(cached_engine, "CLAIM_SECONDS", 300.0)
    llm.reset(default=Reply(delay=0.3))
    settings = LLMSettings(base_url=llm.url, model="tiny")
    shared = changed(with_redis(platform, redis_server), llm=settings)
    engines = [cached(shared), cached(shared)]
    for engine in engines:
        engine.warm_up()
    found: list[Answer] = []
    threads = [
        threading.Thread(target=lambda engine=engine: found.append(engine.ask(QUESTION, Caller())))
        for engine in engines
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(llm.requests) == 1
    assert found[0].answer == found[1].answer


def test_a_process_that_died_holds_nobody_up_for_long(
    platform: Platform, redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached_engine, "OTHERS_SECONDS", 0.5)
    shared = with_redis(platform, redis_server)
    engine = cached(shared)
    client = redis.Redis.from_url(redis_server.url)
    engine.ask(QUESTION, Caller())
    keys = [key.decode() for key in client.scan_iter() if b":answer:" in key]
    prefix, _, rest = keys[0].partition("answer:")
    client.delete(*keys)
    client.set(f"{prefix}claim:answer:{rest}", "somebody who is gone", px=600_000)
    answer = engine.ask(QUESTION, Caller())
    assert not answer.abstained
    assert client.get(f"{prefix}claim:answer:{rest}") == b"somebody who is gone"  # it was not ours


def test_a_redis_that_is_killed_restarted_or_hangs_costs_time_only(
    platform: Platform, redis_server: Redis
) -> None:
    shared = with_redis(platform, redis_server)
    engine = cached(shared)
    first = engine.ask(QUESTION, Caller())
    assert "cache" in engine.ask(QUESTION, Caller()).timings_ms
    redis_server.kill()
    for _ in range(5):
        answer = engine.ask(QUESTION, Caller())
        assert (answer.answer, answer.degraded) == (first.answer, [])
        assert "cache" not in answer.timings_ms
    store = engine._caches.answers
    assert isinstance(store, RedisStore)
    assert not store.reachable  # it is left alone for a while
    redis_server.start()
    store._resume_at = 0.0  # that while is over
    engine.ask(QUESTION, Caller())
    assert "cache" in engine.ask(QUESTION, Caller()).timings_ms
    with redis_server.hanging():
        answer = engine.ask(QUESTION, Caller())
        assert (answer.answer, answer.degraded) == (first.answer, [])
        asked = time.monotonic()
        store._resume_at = 0.0
        assert store.get("anything") is None
        # generous: it is about not waiting for a server that says nothing at all
        assert time.monotonic() - asked < 25 * TIMEOUT_SECONDS
    store._resume_at = 0.0
    engine.ask(QUESTION, Caller())
    assert "cache" in engine.ask(QUESTION, Caller()).timings_ms


def test_a_forgotten_document_is_gone_from_every_cache(
    own_platform: Platform, redis_server: Redis
) -> None:
    shared = with_redis(own_platform, redis_server)
    board, question = Caller.of(["board"]), f"What is the limit of {canary('merger')}?"
    in_redis, in_memory = cached(shared), cached(own_platform)
    for engine in (in_redis, in_memory):
        engine.ask(question, board)
        again = engine.ask(question, board)
        assert "cache" in again.timings_ms
        assert canary("merger") in again.answer + str(again.citations)
    receipt = forget(shared, f"docs/{canary('merger')}.md").receipt
    assert receipt is not None
    place = {item["place"]: item for item in receipt["places"]}["answer cache"]
    assert (place["before"], place["after"]) == (1, 0)
    client = redis.Redis.from_url(redis_server.url)
    assert canary("merger") not in repr([client.get(key) for key in client.scan_iter()])
    for engine in (in_redis, in_memory):
        after = engine.ask(question, board)
        assert "cache" not in after.timings_ms
        assert canary("merger") not in str([after.citations, after.closest])


def test_an_erasure_does_not_end_without_the_cache(platform: Platform, redis_server: Redis) -> None:
    shared = with_redis(platform, redis_server)
    redis_server.kill()
    with pytest.raises(StorageError, match=r"cache\.redis_url"):
        CachedAnswersEraser().erase(shared, Subject("docs/a.md"))


def test_what_repeats_others_is_erased_first() -> None:
    assert isinstance(all_erasers()[0], CachedAnswersEraser)


def test_redis_is_not_imported_where_it_is_not_configured(tmp_path: Path) -> None:
    code = (
        "import sys; from rag_app.cache import Caches; from rag_assets.platform.platform import "
        "Platform; from rag_assets.platform.settings import Settings; "
        f"Caches(Platform(Settings(home={str(tmp_path)!r}))); print('redis' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
