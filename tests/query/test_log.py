"""The query log: what goes in comes out, on SQLite and PostgreSQL; hashed means no texts."""

import itertools
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.pool import QueuePool

from rag_assets.erasure.requests import ErasureRequests
from rag_assets.platform.database import open_database, open_log_database
from rag_assets.platform.errors import StorageError
from rag_assets.platform.fingerprint import sha256_text
from rag_assets.query.access import Caller
from rag_assets.query.answer import Answer, Citation, Hit, Passage, SentenceSupport, Usage
from rag_assets.query.log import (
    AnswerLog,
    AnswerRecord,
    answer_documents,
    answers,
    passages_read,
)
from tests.platform.databases import fresh_database

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> sa.Engine:
    return open_database(fresh_database(request, tmp_path), tmp_path)


def hit(name: str, ordinal: int = 0) -> Hit:
    return Hit(
        chunk_id=f"{name}#{ordinal}",
        document_id=name,
        source="docs",
        ordinal=ordinal,
        title=f"TITLE {name}",
        text="x" * 100,
        heading_path=["HEADING"],
        uri=f"file:///{name}",
        char_start=ordinal * 100,
        char_end=ordinal * 100 + 100,
        page_first=3,
        page_last=4,
        token_count=3,
        modified_at=NOON,
        content_sha256="c" * 64,
        attributes={},
        stale=False,
        score=0.75,
    )


def example(answer_id: str = "", asked_at: datetime = NOON) -> AnswerRecord:
    """A record with something in every field."""
    citation = Citation(
        marker="1",
        document_id="docs/a",
        chunk_id="docs/a#1",
        title="TITLE docs/a",
        uri="file:///docs/a",
        quote="QUOTE",
        char_start=110,
        char_end=115,
        page=3,
        score=0.9,
        heading_path=["HEADING"],
        content_sha256="c" * 64,
        copies=["docs/copy"],
    )
    answer = Answer(
        answer_id=answer_id or uuid.uuid4().hex,
        answer="ANSWER [1].",
        abstained=False,
        citations=[citation],
        release={"id": 4, "created_at": "…", "source_lag_seconds": 1.0},
        usage=Usage(120, 30, 0.0125),
        timings_ms={"search": 4.5, "answer": 800.0},
        degraded=["reranker_failed"],
        support=[SentenceSupport("SENTENCE", ["1"], 0.8)],
        confidence=0.625,
        answerer="llm:m",
    )
    found = hit("docs/a", 1)
    passages = [
        Passage(1, found, (hit("docs/a", 0), found)),
        Passage(2, hit("docs/b"), (hit("docs/b"),)),
    ]
    return AnswerRecord.of(
        answer,
        question="QUESTION?",
        caller=Caller(frozenset({"staff", "board"}), authenticated=True),
        passages=passages,
        asked_at=asked_at,
        filter={"source": ["docs"]},
        task="support",
        model="m",
        parameters={"fusion": "rrf"},
        error="AnswererUnavailable: MESSAGE",
    )


def test_a_record_holds_what_the_answer_says() -> None:
    record = example("a1")
    assert record.groups == ("board", "staff")
    assert (record.authenticated, record.admin, record.release_id) == (True, False, 4)
    assert (record.prompt_tokens, record.completion_tokens, record.cost_usd) == (120, 30, 0.0125)
    assert record.question_sha256 == sha256_text("QUESTION?")
    assert record.answer_sha256 == sha256_text("ANSWER [1].")
    assert record.citations[0]["quote"] == "QUOTE"
    assert record.documents == {"docs/a", "docs/b", "docs/copy"}
    read = [(item["number"], item["chunk_id"], item["score"]) for item in record.passages]
    assert read == [(1, "docs/a#0", None), (1, "docs/a#1", 0.75), (2, "docs/b#0", 0.75)]
    assert record.passages[1] == {
        "number": 1,
        "chunk_id": "docs/a#1",
        "document_id": "docs/a",
        "content_sha256": "c" * 64,
        "char_start": 100,
        "char_end": 200,
        "page": 3,
        "score": 0.75,
    }
    assert "text" not in passages_read([])


def test_what_is_recorded_is_read_back(engine: sa.Engine) -> None:
    log = AnswerLog(engine)
    log.record(example("a1"))
    log.record(replace(example("a2"), filter=None, confidence=None, citations=[], passages=[]))
    assert log.get("a1") == example("a1")
    second = log.get("a2")
    assert second is not None
    assert (second.filter, second.confidence, second.citations) == (None, None, [])
    assert log.get("a3") is None
    with engine.connect() as connection:
        plain = connection.execute(sa.text("SELECT filter FROM answers WHERE answer_id = 'a2'"))
        assert plain.scalar() is None


ANY_TEXT = st.text(st.characters(), max_size=20)  # with NUL and lone surrogates


@SETTINGS
@given(question=ANY_TEXT, group=ANY_TEXT, value=st.one_of(ANY_TEXT, st.floats()), name=ANY_TEXT)
def test_any_text_and_number_can_be_recorded(
    engine: sa.Engine, question: str, group: str, value: object, name: str
) -> None:
    log = AnswerLog(engine)
    record = replace(
        example(),
        question=question,
        question_sha256="",
        groups=(group,),
        timings_ms={name: 1.5},
        parameters={"value": value, "of": np.float32(0.5), "count": np.int64(3), "yes": True},
        passages=[{**example().passages[0], "document_id": name}],
        confidence=float("nan"),
    )
    log.record(record)
    found = log.get(record.answer_id)
    assert found is not None
    assert found.question_sha256 == sha256_text(question)
    assert found.confidence is None
    assert found.parameters["of"] == 0.5
    assert found.parameters["count"] == 3
    assert found.parameters["yes"] is True
    if question.isprintable():
        assert found.question == question


OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 4), timezones=OFFSETS)


@settings(SETTINGS, max_examples=30)
@given(moments=st.lists(MOMENTS, max_size=8), cut=MOMENTS)
def test_windows_are_half_open_and_in_order(
    engine: sa.Engine, moments: list[datetime], cut: datetime
) -> None:
    with engine.begin() as connection:
        connection.execute(sa.delete(answers))
    log = AnswerLog(engine)
    for moment in [*moments, cut]:
        log.record(example(asked_at=moment))
    before = log.between(datetime(2025, 1, 1, tzinfo=UTC), cut)
    after = log.between(cut, datetime(2027, 1, 1, tzinfo=UTC))
    found = [record.asked_at for record in before + after]
    assert found == sorted([*moments, cut])
    assert all(moment.utcoffset() == timedelta(0) for moment in found)
    assert all(record.asked_at < cut for record in before)
    assert after[0].asked_at == cut


def test_a_hashed_log_has_no_texts(engine: sa.Engine) -> None:
    log = AnswerLog(engine, "hashed")
    log.record(example("a1"))
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT * FROM answers")).all()
    stored = json.dumps([[str(cell) for cell in row] for row in rows])
    for text in ("QUESTION", "ANSWER", "QUOTE", "SENTENCE", "TITLE", "HEADING", "MESSAGE"):
        assert text not in stored
    found = log.get("a1")
    assert found is not None
    assert (found.question, found.answer) == (None, None)
    assert found.question_sha256 == sha256_text("QUESTION?")
    assert found.answer_sha256 == sha256_text("ANSWER [1].")
    assert found.citations[0]["quote_sha256"] == sha256_text("QUOTE")
    assert found.support[0] == {
        "markers": ["1"],
        "score": 0.8,
        "sentence_sha256": sha256_text("SENTENCE"),
    }
    assert found.error == "AnswererUnavailable"
    assert found.citations[0]["char_start"] == 110
    assert found.passages == example().passages


def test_a_hashed_log_does_not_trust_the_form_of_an_error(tmp_path: Path) -> None:
    log = AnswerLog(open_database("", tmp_path), "hashed")
    log.record(replace(example("a1"), error="no colon but QUESTION?"))
    log.record(replace(example("a2"), error=""))
    assert [log.get(name).error for name in ("a1", "a2")] == ["error", ""]  # type: ignore[union-attr]


def test_a_log_that_is_off_keeps_nothing(tmp_path: Path) -> None:
    engine = open_database("", tmp_path)
    AnswerLog(engine, "off").record(example("a1"))
    assert AnswerLog(engine).get("a1") is None


def test_only_storage_errors_leave_the_log(engine: sa.Engine) -> None:
    log = AnswerLog(engine)
    log.record(example("a1"))
    with pytest.raises(StorageError, match="cannot be written"):
        log.record(example("a1"))
    with pytest.raises(StorageError, match="cannot be written"):
        log.record(replace(example("a2"), parameters={"what": object()}))
    assert log.get("a2") is None
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE answer_documents"))
    with pytest.raises(StorageError, match="cannot be written"):
        log.record(example("a3"))
    assert log.get("a3") is None  # one transaction: nothing of it was written
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE answers"))
    with pytest.raises(StorageError, match="cannot be read"):
        log.get("a1")
    with pytest.raises(StorageError, match="cannot be read"):
        log.between(NOON, NOON)


def test_all_answers_of_a_document_can_be_found_and_removed(engine: sa.Engine) -> None:
    log = AnswerLog(engine)
    log.record(example("a1"))
    log.record(replace(example("a2"), passages=[], citations=[]))
    for name in ("docs/a", "docs/b", "docs/copy"):
        of_document = sa.select(answer_documents.c.answer_id).where(
            answer_documents.c.document_id == name
        )
        with engine.connect() as connection:
            assert connection.execute(of_document).scalars().all() == ["a1"]
    with engine.begin() as connection:
        connection.execute(sa.delete(answers).where(answers.c.answer_id.in_(of_document)))
        assert connection.execute(sa.select(answer_documents)).all() == []
    assert log.get("a1") is None
    assert log.get("a2") is not None


def test_questions_about_a_time_use_its_index(tmp_path: Path) -> None:
    engine = open_database("", tmp_path)
    query = "EXPLAIN QUERY PLAN SELECT * FROM answers WHERE asked_at >= 'a' AND asked_at < 'b'"
    with engine.connect() as connection:
        assert "answers_by_time" in str(connection.execute(sa.text(query)).all())


@pytest.mark.parametrize("mode", ["full", "hashed"])
def test_a_repetition_is_the_entry_again_with_what_is_new(engine: sa.Engine, mode: str) -> None:
    log, caller = AnswerLog(engine, mode), Caller.of(["b", "a"])  # type: ignore[arg-type]
    requests = ErasureRequests(engine)
    log.record(example("first"))
    first = log.get("first")
    assert first is not None

    def repeat(original: str, answer_id: str) -> bool:
        return log.repeat(
            original,
            answer_id,
            question="AGAIN\x00?",
            caller=caller,
            timings_ms={"cache": 0.5, "odd": float("nan")},
            parameters=first.parameters,
            generation=requests.generation(),
        )

    assert repeat("first", "second")
    second = log.get("second")
    assert second is not None
    assert second.asked_at > first.asked_at
    assert second == replace(
        first,
        answer_id="second",
        asked_at=second.asked_at,
        question="AGAIN\ufffd?" if mode == "full" else None,
        question_sha256=sha256_text("AGAIN\x00?"),
        groups=tuple(sorted(caller.groups)),
        authenticated=caller.authenticated,
        admin=caller.admin,
        prompt_tokens=0,
        completion_tokens=0,
        cost_usd=0.0,
        timings_ms={"cache": 0.5, "odd": None},  # type: ignore[dict-item]
        parameters=first.parameters | {"cached_from": "first"},
    )
    with engine.connect() as connection:
        rows = connection.execute(sa.select(answer_documents)).all()
    assert {name for answer_id, name in rows if answer_id == "second"} == first.documents

    assert not repeat("of nobody", "third")
    assert log.get("third") is None


def test_nothing_is_repeated_once_a_document_is_to_be_forgotten(engine: sa.Engine) -> None:
    log, requests, made = AnswerLog(engine), ErasureRequests(engine), itertools.count()
    log.record(example("first"))

    def repeat(generation: str) -> bool:
        name = f"again {next(made)}"
        written = log.repeat(
            "first", name, question="?", caller=Caller(), timings_ms={}, parameters={},
            generation=generation,
        )  # fmt: skip
        assert written == (log.get(name) is not None)
        return written

    seen = [requests.generation()]
    opened = requests.open("docs/a.md", within_days=1)
    seen.append(requests.generation())
    requests.finish(opened.id, {}, completed=True)
    seen.append(requests.generation())
    requests.lift("docs/a.md")
    seen.append(requests.generation())
    assert [repeat(generation) for generation in seen] == [False, False, False, True]


def test_threads_queue_for_the_one_connection_of_the_log(tmp_path: Path) -> None:
    database = open_database("", tmp_path)
    writer = open_log_database(database)
    log, names = AnswerLog(database, "full", writer), [f"answer {number}" for number in range(200)]
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda name: log.record(example(name)), names))
    start, end = NOON - timedelta(days=1), NOON + timedelta(days=1)
    assert {record.answer_id for record in log.between(start, end)} == set(names)
    assert isinstance(writer.pool, QueuePool)
    assert (writer.pool.size(), writer.pool.overflow()) == (1, 0)
    with pytest.raises(StorageError):
        log.record(example(names[0]))
    log.record(example("after an error"))
    modes = [
        engine.connect().exec_driver_sql("PRAGMA synchronous") for engine in (database, writer)
    ]
    full, normal = 2, 1
    assert [mode.scalar_one() for mode in modes] == [full, normal]


def test_the_log_of_sqlite_is_moved_into_its_file_by_others(tmp_path: Path) -> None:
    database = open_database("", tmp_path)
    log = AnswerLog(database, "full", open_log_database(database))
    file = tmp_path / "platform.db"
    ahead, before = Path(f"{file}-wal"), file.stat().st_size
    page = 4096
    # SQLite's own limit is 1,000 pages: every connection but that of the log keeps to it
    for number in range(200):
        log.record(replace(example(f"answer {number}"), answer=5 * page * "x"))
    assert ahead.stat().st_size > 1_500 * page
    assert file.stat().st_size == before

    ErasureRequests(database).open("docs/a.md", within_days=1)

    assert file.stat().st_size > before + 1_000 * page
