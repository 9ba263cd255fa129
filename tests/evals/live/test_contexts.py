"""What an answerer read is read again as it was, with the rights of who asked, or not at all."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.live.contexts import ContextReader, passage_texts
from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller
from rag_assets.query.answer import Hit, Passage
from rag_assets.query.engine import QueryEngine
from rag_assets.query.log import AnswerRecord, passages_read
from rag_assets.raw_documents.schema import RAW_DOCUMENTS
from tests.query.restricted import canary

BOARD = Caller.of(["board"])


@pytest.fixture(scope="module")
def engine(platform: Platform) -> QueryEngine:
    return QueryEngine(platform)


def asked(
    engine: QueryEngine, question: str, caller: Caller
) -> tuple[AnswerRecord, Sequence[Passage]]:
    """A question's record and the passages that were read for it."""
    answer, passages = engine.ask_and_read(question, caller)
    now = datetime.now(UTC)
    return (
        AnswerRecord.of(answer, question=question, caller=caller, passages=passages, asked_at=now),
        passages,
    )


def test_it_is_what_was_read(platform: Platform, engine: QueryEngine) -> None:
    record, passages = asked(engine, f"What is the limit of {canary('merger')}?", BOARD)
    found = ContextReader(platform).read(record)
    assert found.missing == ""
    assert found.texts == tuple(passage.text for passage in passages)
    assert canary("merger") in " ".join(found.texts)
    assert set(found.documents) == {item["document_id"] for item in record.passages}


def test_it_is_read_with_the_rights_of_who_asked(platform: Platform, engine: QueryEngine) -> None:
    record, _ = asked(engine, f"What is the limit of {canary('merger')}?", BOARD)
    for groups in ((), ("people",)):
        found = ContextReader(platform).read(replace(record, groups=groups))
        assert found.texts == ()
        assert "forbidden" in found.missing


@pytest.fixture
def closed(platform: Platform) -> Iterator[None]:
    """The document of the board is closed to everybody, before a new release is made."""
    tables = platform.tables
    stamp = tables.stamp("raw_documents", "docs")
    assert stamp is not None
    before = tables.read("raw_documents", "docs", RAW_DOCUMENTS)
    about = pl.col("document_id").str.contains(canary("merger"))
    nobody = pl.lit(pl.Series([["nobody"]])).first()
    after = before.with_columns(acl=pl.when(about).then(nobody).otherwise(pl.col("acl")))
    tables.write("raw_documents", "docs", after, replace(stamp, digest="closed"))
    yield
    tables.write("raw_documents", "docs", before, stamp)


def test_what_was_forbidden_since_is_not_shown_to_a_judge(
    platform: Platform, engine: QueryEngine, closed: None
) -> None:
    record, _ = asked(engine, f"What is the limit of {canary('salaries')}?", Caller.of(["people"]))
    assert ContextReader(platform).read(record).missing == ""
    record = replace(record, groups=("board",), passages=_passages(platform, "merger"))
    assert "forbidden" in ContextReader(platform).read(record).missing


def test_what_is_gone_is_said(platform: Platform, engine: QueryEngine) -> None:
    record, _ = asked(engine, "What is the limit?", BOARD)
    reader = ContextReader(platform)
    assert "release 99 is not" in reader.read(replace(record, release_id=99)).missing
    lost = [{**record.passages[0], "chunk_id": "gone"}, *record.passages[1:]]
    assert reader.read(replace(record, passages=lost)).missing.startswith("1 of ")
    assert "no passages" in reader.read(replace(record, passages=[])).missing


def _passages(platform: Platform, name: str) -> list[dict[str, object]]:
    engine = QueryEngine(platform)
    hits = engine.search(canary(name), Caller(admin=True), limit=1)
    assert canary(name) in hits[0].document_id
    return passages_read([Passage(1, hits[0], (hits[0],))])


def hit(text: str, start: int, end: int) -> Hit:
    """A chunk of a text, whose id is where it begins."""
    return Hit(
        chunk_id=f"chunk-{start}",
        document_id="docs/text",
        source="docs",
        ordinal=start,
        title="",
        text=text[start:end],
        heading_path=[],
        uri="",
        char_start=start,
        char_end=end,
        page_first=None,
        page_last=None,
        token_count=1,
        modified_at=None,
        content_sha256="",
        attributes={},
        stale=False,
        score=1.0,
    )


@st.composite
def read_passages(draw: st.DrawFn) -> tuple[list[Passage], dict[str, dict[str, object]]]:
    """Passages of chunks that overlap, touch, leave gaps or were cut; and the chunks as indexed."""
    text = draw(st.text(min_size=30, max_size=60))
    passages, rows = [], {}
    for number in range(1, draw(st.integers(1, 3)) + 1):
        starts = sorted(draw(st.sets(st.integers(0, len(text) - 6), min_size=1, max_size=4)))
        parts = []
        for start in starts:
            whole = hit(text, start, min(len(text), start + 6))
            rows[whole.chunk_id] = {"text": whole.text, "char_start": start}
            parts.append(hit(text, start, draw(st.integers(start + 1, whole.char_end))))
        passages.append(Passage(number, parts[0], tuple(parts)))
    return passages, rows


@given(read_passages())
def test_a_passage_is_put_together_as_the_answerer_saw_it(
    drawn: tuple[list[Passage], dict[str, dict[str, object]]],
) -> None:
    passages, rows = drawn
    expected = tuple(passage.text for passage in passages)
    assert passage_texts(passages_read(passages), rows) == expected
