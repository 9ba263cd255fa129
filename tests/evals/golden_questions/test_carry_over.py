"""Which known items stay when documents come and go."""

import polars as pl

from evals.golden_questions.carry_over import carry_over
from evals.golden_questions.schema import GOLDEN_QUESTIONS, RESOLVED_QUESTIONS


def items(schema: pl.Schema, *names: str, evidence: str = "current") -> pl.DataFrame:
    rows = [
        {
            "dataset": "known_items",
            "question_id": f"known-{name}",
            "question": name,
            "relevant": [{"document_id": name, "quote": "q", "page": None, "grade": 1}],
            "evidence": evidence,
        }
        for name in names
    ]
    return pl.DataFrame(rows, schema=RESOLVED_QUESTIONS).select(schema.names())


def asked(
    sample: str, previous: str, live: str, present: str, evidence: str = "current"
) -> list[str]:
    found = carry_over(
        items(GOLDEN_QUESTIONS, *sample),
        items(RESOLVED_QUESTIONS, *previous, evidence=evidence),
        set(live),
        set(present),
    )
    assert found.schema == GOLDEN_QUESTIONS
    return found["question"].to_list()


def test_a_dropped_document_is_asked_for_as_long_as_the_live_release_has_it() -> None:
    assert asked("a", "abc", live="abc", present="a") == ["a", "b", "c"]
    assert asked("a", "abc", live="ab", present="a") == ["a", "b"]
    assert asked("a", "abc", live="", present="a") == ["a"]


def test_nothing_is_asked_twice() -> None:
    assert asked("ab", "ab", live="ab", present="ab") == ["a", "b"]


def test_what_others_displace_stays_until_the_live_release_has_those() -> None:
    assert asked("xyc", "abc", live="abc", present="abcxy") == ["x", "y", "c", "a", "b"]
    assert asked("xbc", "abc", live="abc", present="abcx") == ["x", "b", "c", "a"]
    assert asked("xyc", "abc", live="abcxy", present="abcxy") == ["x", "y", "c"]


def test_a_sentence_that_is_gone_from_a_present_document_does_not_stay() -> None:
    assert asked("x", "a", live="a", present="ax", evidence="changed") == ["x"]
