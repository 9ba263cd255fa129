"""A day's summary says what happened, adds up, and does not depend on the order of the log."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.live.query_log import summarize_day
from evals.live.schema import QUERY_DAYS
from rag_assets.query.log import AnswerRecord

from .records import record, records


def test_a_day_with_everything_in_it() -> None:
    day = [
        record("a", cost_usd=0.1, prompt_tokens=100, completion_tokens=7, authenticated=True),
        record("b", question="question a", timings_ms={"total": 30.0, "answer_llm": 20.0}),
        record(
            "c",
            abstained=True,
            degraded=["llm_timeout", "llm_timeout"],
            support=[{"sentence": "No.", "markers": [], "score": 1.0}],
        ),
        record("d", error="LLMError: overloaded", release_id=2, cost_usd=0.2, support=[]),
    ]
    found = summarize_day(day, "full")
    assert found["queries"] == 4
    assert found["distinct_questions"] == 3
    assert (found["authenticated"], found["authenticated_share"]) == (1, 0.25)
    assert (found["answered"], found["abstained"], found["errors"]) == (2, 1, 1)
    assert (found["abstained_share"], found["errors_share"]) == (0.25, 0.25)
    assert (found["degraded"], found["degraded_share"]) == (1, 0.25)
    assert (found["prompt_tokens"], found["completion_tokens"]) == (100, 7)
    assert found["cost_usd"] == pytest.approx(0.3)
    assert found["cost_usd_per_query"] == pytest.approx(0.075)
    assert found["support"] == 0.5  # what was refused has no support to speak of
    assert found["counts"] == {
        "degraded": {"llm_timeout": 1},
        "error": {"LLMError": 1},
        "release": {"1": 3, "2": 1},
        "answerer": {"extractive": 4},
    }


def test_percentiles_are_linear_between_the_two_nearest() -> None:
    day = [record(str(number), timings_ms={"total": float(number)}) for number in range(1, 102)]
    found = summarize_day(day, "full")
    assert [found[f"total_p{p}_ms"] for p in (50, 95, 99)] == [51.0, 96.0, 100.0]
    assert found["retrieve_p50_ms"] is None
    two = [record("a", timings_ms={"total": 10.0}), record("b", timings_ms={"total": 20.0})]
    assert summarize_day(two, "full")["total_p95_ms"] == 19.5


def test_support_is_a_mean_of_answers_not_of_sentences() -> None:
    long = [{"sentence": "x", "markers": [], "score": 0.0}] * 9
    short = [{"sentence": "x", "markers": [], "score": 1.0}]
    day = [record("a", support=long), record("b", support=short)]
    assert summarize_day(day, "full")["support"] == 0.5


def test_an_answer_without_any_support_counts_as_zero() -> None:
    unsupported = [{"sentence": "x", "markers": [], "score": 0.0}]
    day = [record("a", support=unsupported), record("b")]
    assert summarize_day(day, "full")["support"] == 0.25


def test_a_day_without_queries_is_zeros() -> None:
    found = summarize_day([], "off")
    assert found["log"] == "off"
    assert found["queries"] == found["answered"] == found["prompt_tokens"] == 0
    assert found["cost_usd"] == 0.0
    assert found["abstained_share"] is None
    assert found["total_p99_ms"] is None
    assert found["counts"] == {"degraded": {}, "error": {}, "release": {}, "answerer": {}}


@given(records(), st.randoms(use_true_random=False))
def test_it_adds_up_whatever_the_order(day: list[AnswerRecord], order: random.Random) -> None:
    found = summarize_day(day, "full")
    shuffled = list(day)
    order.shuffle(shuffled)
    assert summarize_day(shuffled, "full") == found
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert {*found} == {*QUERY_DAYS} - {"day"} | {"counts"}
    refused_or_failed = sum(item.abstained or bool(item.error) for item in day)
    assert found["answered"] + refused_or_failed == found["queries"] == len(day)
    assert sum(found["counts"]["release"].values()) == len(day)
    assert sum(found["counts"]["answerer"].values()) == len(day)
    assert sum(found["counts"]["error"].values()) == found["errors"]
    if day:
        percentiles = [found[f"total_p{p}_ms"] for p in (50, 95, 99)]
        assert percentiles == sorted(percentiles)
        longest = max(item.timings_ms["total"] for item in day)
        assert percentiles[-1] <= longest + 0.001
