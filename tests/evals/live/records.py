"""Rows of the query log, made by hand and at random."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from hypothesis import strategies as st

from rag_assets.query.log import AnswerRecord

DAY = date(2026, 3, 14)


def at(hour: float, day: date = DAY) -> datetime:
    """A moment of a day in UTC."""
    return datetime.combine(day, time.min, tzinfo=UTC) + timedelta(hours=hour)


def record(answer_id: str, hour: float = 12.0, **values: Any) -> AnswerRecord:
    """An answered query, unless the values say otherwise."""
    fixed: dict[str, Any] = {
        "release_id": 1,
        "question": f"question {answer_id}",
        "answer": f"answer {answer_id}",
        "answerer": "extractive",
        "timings_ms": {"total": 10.0, "retrieve": 4.0},
        "support": [{"sentence": "It is so.", "markers": ["1"], "score": 0.5}],
    }
    return AnswerRecord(answer_id=answer_id, asked_at=at(hour), **{**fixed, **values})


@st.composite
def records(draw: st.DrawFn, most: int = 30) -> list[AnswerRecord]:
    """Some queries of one day, of every kind."""
    ids = draw(st.lists(st.uuids().map(str), max_size=most, unique=True))
    milliseconds = st.floats(0, 60_000)
    return [
        record(
            answer_id,
            draw(st.floats(0, 23.9)),
            release_id=draw(st.integers(1, 3)),
            question=draw(st.sampled_from(["one", "two", "three"])),
            abstained=draw(st.booleans()),
            authenticated=draw(st.booleans()),
            error=draw(st.sampled_from(["", "", "LLMTimeout: after 30 s"])),
            degraded=draw(st.lists(st.sampled_from(["llm_unavailable", "rerank_failed"]))),
            answerer=draw(st.sampled_from(["extractive", "llm:tiny"])),
            model=draw(st.sampled_from(["", "tiny"])),
            prompt_tokens=draw(st.integers(0, 5000)),
            completion_tokens=draw(st.integers(0, 500)),
            cost_usd=draw(st.floats(0, 1)),
            timings_ms=draw(
                st.fixed_dictionaries(
                    {"total": milliseconds}, optional={"answer_llm": milliseconds}
                )
            ),
        )
        for answer_id in ids
    ]
