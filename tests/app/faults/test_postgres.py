"""The PostgreSQL of the platform goes and comes: what needs it says so, and goes on afterwards."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from rag_app.access.keys import make_key
from rag_app.service.forgetting import forget_document
from rag_assets.platform.database import limit_waits
from tests.postgres import create_database
from tests.query.openai_server import Reply

from .asking import QUESTION, QUOTED, Caller, errors_of, eventually, measured
from .conftest import released
from .servers import LLM, Postgres

UNAVAILABLE = (503, "database-unavailable")
MISSING = ["database", "release", "index"]
CHAT = {"model": "ragline", "messages": [{"role": "user", "content": QUESTION}]}


def test_without_its_database_it_says_so_and_goes_on_when_it_is_back(
    caller: Caller, postgres: Postgres
) -> None:
    before = caller.ask()
    answer_id = before.body["answer_id"]
    feedback = {"answer_id": answer_id, "rating": "up"}
    with postgres.away():
        # for a second more what was known of the release counts
        eventually(lambda: caller.ask().status == 503, "a word")
        for what, body in (("answer", {}), ("stream", {"stream": True})):
            seen = caller.ask(**body)
            measured(f"PostgreSQL: away, {what}", seen.seconds)
            assert (seen.status, seen.kind) == UNAVAILABLE
            assert seen.headers["Retry-After"] == "5"
            assert seen.body["detail"] == "The platform database cannot be reached."
        search = caller.send("POST", "/v1/search", json={"query": QUESTION})
        documents = caller.send("GET", "/v1/documents")
        rating = caller.send("POST", "/v1/feedback", json=feedback)
        lineage = caller.send("GET", f"/v1/answers/{answer_id}/lineage")
        others = search, documents, rating, lineage
        assert {(seen.status, seen.kind) for seen in others} == {UNAVAILABLE}
        with caller.service.client() as client:
            chat = client.post("/v1/chat/completions", json=CHAT)
        assert (chat.status_code, chat.json()["error"]["type"]) == (503, "server_error")
        eventually(lambda: caller.missing() == MISSING, "said by /readyz")
        nobody_knows_a_stranger(caller)
    took = eventually(lambda: caller.ask().status == 200, "an answer")
    measured("PostgreSQL: started, answers again", took)
    assert caller.ask().degraded == []
    eventually(lambda: not caller.missing(), "ready")
    assert caller.send("POST", "/v1/feedback", json=feedback).status == 201
    assert caller.send("GET", f"/v1/answers/{answer_id}/lineage").status == 200
    assert not list(errors_of(caller.service))


def nobody_knows_a_stranger(caller: Caller) -> None:
    """A key that was seen before goes on; whether another one is good, nobody can say now."""
    stranger = make_key("other", ("public",), ("read",), timedelta(days=1)).text
    known, caller.service.key = caller.service.key, stranger
    seen = caller.ask()
    caller.service.key = known
    assert (seen.status, seen.kind) == (503, "identity-unavailable")


def test_one_that_hangs_holds_nobody_and_is_used_again_when_it_goes_on(
    caller: Caller, llm: LLM, postgres: Postgres
) -> None:
    """It has taken connections, and takes more, and answers nothing."""
    answer_id = caller.ask().body["answer_id"]
    feedback = {"answer_id": answer_id, "rating": "up"}
    llm.reset(Reply(tokens=("Up to 165 pounds ", "[1]."), delay=1.5))
    body = {"question": QUESTION, "limit": 97, "stream": True}
    with (
        caller.service.client() as client,
        client.stream("POST", "/v1/ask", json=body) as response,
    ):
        lines = response.iter_lines()
        assert next(lines) == "event: token"
        with postgres.hanging(), ThreadPoolExecutor() as pool:
            ready = pool.submit(caller.missing)
            # the other one of two threads for questions
            first = pool.submit(caller.send, "POST", "/v1/search", json={"query": QUESTION})
            rest = list(lines)
            done = json.loads(rest[rest.index("event: done") + 1].removeprefix("data: "))
            assert QUOTED in done["answer"]
            assert done["degraded"] == ["log_failed"]
            measured("PostgreSQL: hangs, first search", first.result().seconds)
            assert ready.result() == MISSING
            # threads are free again: none of these is told that the service is busy
            for what, options in (("answer", {}), ("stream", {"stream": True})):
                seen = caller.ask(**options)
                measured(f"PostgreSQL: hangs, {what}", seen.seconds)
                assert (seen.status, seen.kind) == UNAVAILABLE
                assert seen.headers["Retry-After"] == "5"
            search = caller.send("POST", "/v1/search", json={"query": QUESTION})
            rating = caller.send("POST", "/v1/feedback", json=feedback)
            lineage = caller.send("GET", f"/v1/answers/{answer_id}/lineage")
            others = search, rating, lineage
            assert {(seen.status, seen.kind) for seen in others} == {UNAVAILABLE}
            nobody_knows_a_stranger(caller)
            assert caller.send("GET", "/metrics").status == 200
            measured("PostgreSQL: hangs, known", max(seen.seconds for seen in others))
    took = eventually(lambda: caller.ask().status == 200, "an answer")
    measured("PostgreSQL: goes on, answers again", took)
    assert caller.ask().degraded == []
    eventually(lambda: not caller.missing(), "ready")
    assert caller.send("POST", "/v1/feedback", json=feedback).status == 201
    assert not list(errors_of(caller.service))


def test_an_erasure_takes_as_long_as_it_takes(
    tmp_path: Path, model_cache: Path, postgres: Postgres
) -> None:
    """Somebody holds a table that it has to clean, for longer than a question would wait."""
    environment = {"RAG_DATABASE_URL": create_database(postgres.url)}
    platform = released(tmp_path, model_cache, environment)
    limit_waits(platform.database, 1)
    held = threading.Event()

    def hold() -> None:
        other = sa.create_engine(environment["RAG_DATABASE_URL"], poolclass=sa.NullPool)
        with other.begin() as connection:
            connection.execute(sa.text("LOCK TABLE answers IN ACCESS EXCLUSIVE MODE"))
            held.set()
            time.sleep(4)

    with ThreadPoolExecutor() as pool:
        holding = pool.submit(hold)
        assert held.wait(30)
        with pytest.raises(OperationalError), platform.database.connect() as connection:
            connection.execute(sa.text("SELECT count(*) FROM answers"))
        receipt = forget_document(platform, "docs/travel.md", actor="me", reason="asked to")
        holding.result()
    assert receipt["complete"]
    platform.close()


def test_a_restart_is_not_seen_by_an_answer_that_is_being_written(
    caller: Caller, llm: LLM, postgres: Postgres
) -> None:
    llm.reset(Reply(tokens=("Up to 165 pounds ", "[1]."), delay=1.5))
    body = {"question": QUESTION, "limit": 96, "stream": True}
    with (
        caller.service.client() as client,
        client.stream("POST", "/v1/ask", json=body) as response,
    ):
        lines = response.iter_lines()
        assert next(lines) == "event: token"
        postgres.restart()
        rest = list(lines)
    done = json.loads(rest[rest.index("event: done") + 1].removeprefix("data: "))
    assert QUOTED in done["answer"]
    assert done["degraded"] == []
    lineage = caller.send("GET", f"/v1/answers/{done['answer_id']}/lineage")
    assert lineage.status == 200
