"""After an erasure the query log says nothing of a document, and nothing less of all others."""

import html
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from evals.gates.markdown import escaped
from rag_assets.erasure.base import Subject
from rag_assets.erasure.redaction import FORGOTTEN, Redaction, plain
from rag_assets.platform.database import open_database
from rag_assets.platform.fingerprint import sha256_text
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.query.erasure import QueryLogEraser
from rag_assets.query.lineage import UnknownAnswer, lineage_of
from rag_assets.query.log import AnswerLog, AnswerRecord, answer_documents
from rag_assets.releases.history import record_event
from rag_assets.releases.registry import Registry
from rag_assets.releases.schema import releases
from tests.platform.databases import fresh_database
from tests.query.restricted import released
from tests.query.test_log import example

PHRASE = 'The "blue" caretaker of the Löwen house\nchecks 40% of the boilers at noon.'
OTHER = "The harbour office reads the rain gauge every morning at seven."
SUBJECT = Subject("docs/a", phrases=(PHRASE,), content_sha256=frozenset({"c" * 64}))
WORDS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=9),
    min_size=4,
    max_size=9,
).map(" ".join)


@pytest.fixture(params=["sqlite", "postgresql"])
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    engine = open_database(fresh_database(request, tmp_path), tmp_path)
    yield SimpleNamespace(database=engine)
    engine.dispose()


def other(answer_id: str, **values: Any) -> AnswerRecord:
    """An answer that has nothing to do with docs/a."""
    text = (
        json.dumps(example(answer_id).citations)
        .replace("docs/a", "docs/b")
        .replace("QUOTE", "ELSE")
    )
    citations = [{**item, "copies": []} for item in json.loads(text)]
    passages = [item for item in example().passages if item["document_id"] == "docs/b"]
    return replace(example(answer_id), citations=citations, passages=passages, **values)


def everything(engine: sa.Engine) -> str:
    """All that the database says, as text."""
    found = []
    with engine.connect() as connection:
        for name in sa.inspect(engine).get_table_names():
            rows = connection.execute(sa.text(f'SELECT * FROM "{name}"')).all()
            found += [str(value) for row in rows for value in row]
    return "\n".join(found)


def test_an_answer_that_read_the_document_goes_and_its_figures_stay(platform: Any) -> None:
    log = AnswerLog(platform.database)
    log.record(replace(example("a1"), answer=PHRASE))
    log.record(other("a2"))
    before, eraser = log.get("a2"), QueryLogEraser()
    assert eraser.find(platform, SUBJECT).traces == 1

    assert eraser.erase(platform, SUBJECT).removed == 1

    assert eraser.find(platform, SUBJECT).traces == 0
    assert log.get("a2") == before
    record = log.get("a1")
    assert record is not None
    assert (record.question, record.answer, record.answer_sha256) == ("QUESTION?", None, "")
    assert (record.prompt_tokens, record.cost_usd, record.confidence) == (120, 0.0125, 0.625)
    (citation,) = record.citations
    assert citation["document_id"] == FORGOTTEN
    assert set(citation) & {"quote", "title", "heading_path", "uri", "copies"} == set()
    assert record.support == [{"markers": ["1"], "score": 0.8}]
    assert [item["document_id"] for item in record.passages] == [FORGOTTEN, FORGOTTEN, "docs/b"]
    said = everything(platform.database)
    for trace in ("docs/a", "QUOTE", "docs/a#1", sha256_text(PHRASE), "caretaker"):
        assert trace not in said
    with platform.database.connect() as connection:
        named = connection.execute(sa.select(answer_documents.c.document_id)).scalars().all()
    assert "docs/a" not in named


def test_a_mention_as_a_copy_is_a_trace_and_hashes_are_too(platform: Any) -> None:
    log, eraser = AnswerLog(platform.database, "hashed"), QueryLogEraser()
    copy = other("a1")
    log.record(replace(copy, citations=[{**copy.citations[0], "copies": ["docs/a", "docs/z"]}]))
    log.record(example("a2"))
    assert eraser.find(platform, SUBJECT).traces == 2

    eraser.erase(platform, SUBJECT)

    assert eraser.find(platform, SUBJECT).traces == 0
    kept, hashed = log.get("a1"), log.get("a2")
    assert kept is not None
    assert hashed is not None
    assert kept.citations[0]["copies"] == ["docs/z"]
    assert kept.citations[0]["document_id"] == "docs/b"
    assert (kept.answer_sha256, hashed.answer_sha256) == ("", "")
    assert "quote_sha256" not in hashed.citations[0]
    assert "sentence_sha256" not in hashed.support[0]


def test_a_question_that_repeats_the_document_goes_with_its_hash(platform: Any) -> None:
    question = f"Is it true that «{' '.join(PHRASE.split())}»?"
    record = other("a1", question=question, question_sha256="", error=f"Timeout: {PHRASE}")
    log = AnswerLog(platform.database)
    log.record(record)
    assert QueryLogEraser().find(platform, SUBJECT).traces == 1

    QueryLogEraser().erase(platform, SUBJECT)

    left = log.get("a1")
    assert left is not None
    assert (left.question, left.question_sha256) == (None, "")
    assert left.error == f"Timeout: {FORGOTTEN}"
    assert left.answer == record.answer  # of other documents
    assert "caretaker" not in everything(platform.database)


def test_releases_and_their_events_are_searched_and_cleaned(platform: Any) -> None:
    registry = Registry(platform.database)
    release = registry.add_candidate(
        table_name="t",
        lance_version=1,
        fingerprints={},
        partitions={},
        documents=1,
        chunks=1,
        manifest_sha256="0" * 64,
        run_id="r",
    )
    metrics = {"retrieval_quality": {"explanation": f"lost: {escaped(PHRASE)}", "lost": 3}}
    with platform.database.begin() as connection:
        connection.execute(sa.update(releases).values(metrics=metrics, reason=PHRASE))
        record_event(connection, "rejected", release.id, reason=PHRASE, examples=[PHRASE])
    assert QueryLogEraser().find(platform, SUBJECT).traces == 2

    assert QueryLogEraser().erase(platform, SUBJECT).removed == 2

    cleaned = registry.get(release.id)
    assert cleaned is not None
    explained = {"explanation": f"lost: {FORGOTTEN}", "lost": 3}
    assert cleaned.metrics == {"retrieval_quality": explained}
    assert cleaned.reason == FORGOTTEN
    assert "caretaker" not in everything(platform.database)


def test_no_byte_stays_in_the_files_of_sqlite(tmp_path: Path) -> None:
    engine = open_database("", tmp_path)
    platform: Any = SimpleNamespace(database=engine)
    log = AnswerLog(engine)
    for number in range(50):
        log.record(replace(example(f"a{number}"), answer=f"{number} caretaker boilers at noon"))
    # deleted before, by somebody who did not overwrite it
    with engine.begin() as connection:
        connection.execute(sa.text("PRAGMA secure_delete=OFF"))
        connection.execute(sa.text("DELETE FROM answer_documents WHERE answer_id LIKE '%1'"))
        connection.execute(sa.text("DELETE FROM answers WHERE answer_id LIKE '%1'"))
    files = sorted(tmp_path.glob("platform.db*"))
    assert any(b"caretaker boilers" in path.read_bytes() for path in files)

    QueryLogEraser().erase(platform, SUBJECT)

    for path in sorted(tmp_path.glob("platform.db*")):
        assert b"caretaker boilers" not in path.read_bytes(), path.name


def test_erasing_again_changes_nothing(platform: Any) -> None:
    AnswerLog(platform.database).record(example("a1"))
    QueryLogEraser().erase(platform, SUBJECT)
    before = everything(platform.database)
    assert QueryLogEraser().erase(platform, SUBJECT).removed == 0
    assert everything(platform.database) == before


def test_lineage_of_such_an_answer_works_and_says_so(tmp_path: Path, model_cache: Path) -> None:
    platform = released(tmp_path, model_cache)
    live = Registry(platform.database).live()
    assert live is not None
    log = AnswerLog(platform.database)
    answer = QueryEngine(platform).ask("What is the limit for travel?", Caller(admin=True))
    read = log.get(answer.answer_id)
    assert read is not None
    assert read.passages
    forgotten = read.passages[0]["document_id"]
    QueryLogEraser().erase(platform, Subject(forgotten, phrases=(PHRASE,)))

    shown = lineage_of(platform, answer.answer_id, Caller(admin=True))

    assert FORGOTTEN in {item.document_id for item in shown.documents}
    assert forgotten not in json.dumps(shown.to_dict(), default=str)
    assert shown.answer is None
    assert shown.question == "What is the limit for travel?"
    try:
        public = lineage_of(platform, answer.answer_id, Caller(authenticated=True))
    except UnknownAnswer:
        return
    assert public.withheld > 0
    assert public.answer is None


@pytest.mark.parametrize(
    "dress",
    [
        str,
        escaped,
        html.escape,
        json.dumps,
        lambda text: json.dumps(json.dumps({"quote": text})),
        lambda text: json.dumps(text, ensure_ascii=False),
        lambda text: f'Error near "{json.dumps(json.dumps(text))}" in line 3',
        lambda text: " ".join(text.split())[:40] + "…",
        lambda text: text.replace(" ", "\n  "),
        lambda text: text.replace("%", "\\%"),
    ],
)
def test_a_phrase_is_found_in_every_dress(dress: Any) -> None:
    text = f"before {dress(PHRASE)} after"
    redaction = Redaction([PHRASE])
    assert redaction.has(text)
    clean = redaction.text(text)
    assert "caretaker" not in clean
    assert clean.startswith("before")
    assert clean.endswith("after")


@given(phrase=WORDS, before=WORDS, after=WORDS, depth=st.integers(0, 3))
def test_nothing_of_a_phrase_is_left_and_json_stays_json(
    phrase: str, before: str, after: str, depth: int
) -> None:
    redaction = Redaction([phrase])
    value: Any = {"a": [before, {"text": f"{before} {phrase} {after}"}], "n": 1.5, "z": None}
    for _ in range(depth):
        value = {"nested": json.dumps(value)}

    clean = redaction.values([value])[0]

    assert not redaction.has(clean)
    for _ in range(depth):
        clean = json.loads(clean["nested"])
    assert set(clean) == {"a", "n", "z"}
    if len(plain(phrase)) >= 12:
        assert plain(phrase) not in plain(clean["a"][1]["text"])


def test_a_long_beginning_that_is_not_the_phrase_takes_no_time() -> None:
    phrase = "ģûĘĕċ" * 20 + " und Schluß."
    text = phrase[:-1] + "! " + phrase
    assert Redaction([phrase]).text(text) == phrase[:-1] + "! [forgotten]"


@given(text=WORDS)
def test_other_texts_are_left_as_they_are(text: str) -> None:
    value = {"text": text, "json": json.dumps([text])}
    assert Redaction([PHRASE, OTHER]).values([value])[0] is value
