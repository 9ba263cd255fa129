"""Real answers are judged against what was read; what failed, what was cached and its cost are kept."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.live import store
from evals.live.costs import costs_of_day
from evals.live.faithfulness import (
    LEFT,
    LIVE_METRICS,
    SUPPORT,
    judge_day,
    judge_with_llm,
    live_metrics,
    with_previous_cost,
)
from evals.live.schema import LIVE_JUDGEMENTS
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import CostSettings, JudgeSettings, PriceSettings
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.query.log import AnswerLog, AnswerRecord
from tests.evals.judges.judge_server import MODEL, Fault, JudgeServer
from tests.query.restricted import canary, changed

from .records import record
from .test_store import frame, judged

CALLER = Caller.of(["board", "people"])
NOTHING = LIVE_JUDGEMENTS.to_frame()


@pytest.fixture(scope="module")
def asked(platform: Platform) -> list[AnswerRecord]:
    """Three answered questions, as the log has them."""
    engine = QueryEngine(platform)
    for name in ("welcome", "merger", "salaries"):
        engine.ask(f"What is the limit of {canary(name)}?", CALLER)
    found = AnswerLog(platform.database).between(
        datetime(2000, 1, 1, tzinfo=UTC), datetime.now(UTC)
    )
    assert [item.abstained for item in found] == [False] * 3
    return found


def with_judge(platform: Platform, judge: JudgeServer, *metrics: str) -> Platform:
    settings = JudgeSettings(base_url=judge.url, metrics=list(metrics), retries=0)
    # a dollar for every call, see PROMPT_TOKENS
    cost = CostSettings(prices={MODEL: PriceSettings(prompt=10_000, completion=0)})
    return changed(platform, judge=settings, cost=cost)


def by_metric(rows: pl.DataFrame, metric: str) -> pl.DataFrame:
    return rows.filter(metric=metric)


def test_without_a_judge_only_the_support_is_known(
    platform: Platform, asked: list[AnswerRecord]
) -> None:
    found = judge_day(platform, asked, NOTHING, judge_with_llm)
    assert found.rows["metric"].to_list() == [SUPPORT] * 3
    assert found.rows["status"].to_list() == ["ok"] * 3
    expected = {
        item.answer_id: sum(part["score"] for part in item.support) / len(item.support)
        for item in asked
    }
    assert dict(found.rows.select("answer_id", "score").rows()) == pytest.approx(expected)


def test_a_judge_is_shown_what_was_read_and_a_repetition_costs_nothing(
    platform: Platform, asked: list[AnswerRecord], judge: JudgeServer
) -> None:
    judging = with_judge(platform, judge, "deepeval.*", "ragas.context_recall")
    first = judge_day(judging, asked, NOTHING, judge_with_llm)
    hallucination = by_metric(first.rows, "deepeval.hallucination")
    assert hallucination["status"].to_list() == ["ok"] * 3
    assert {*hallucination["release_id"]} == {1}
    assert {*first.rows["metric"]} == {
        SUPPORT,
        "deepeval.hallucination",
        "deepeval.faithfulness",
        "deepeval.answer_relevancy",
    }
    prompts = "\n".join(judge.prompts())
    assert canary("merger") in prompts
    assert first.rows["calls"].sum() == len(judge.requests) > 0
    assert first.rows["cost_usd"].sum() == pytest.approx(len(judge.requests))

    asked_before = len(judge.requests)
    again = judge_day(judging, asked, first.rows, judge_with_llm)
    assert len(judge.requests) == asked_before
    assert again.cached == 9
    assert again.rows.equals(first.rows)
    (cost,) = costs_of_day(asked, again.rows).filter(answerer="judge").to_dicts()
    assert (cost["queries"], cost["cost_usd"]) == (3, pytest.approx(asked_before))


def test_what_a_judge_could_not_judge_is_missing_coverage(
    platform: Platform, asked: list[AnswerRecord], judge: JudgeServer
) -> None:
    judge.faults = lambda name, prompt: (
        Fault(text="no JSON") if canary("merger") in prompt else None
    )
    judging = with_judge(platform, judge, "deepeval.hallucination")
    lost = record("lost", release_id=99, passages=asked[0].passages)
    hashed = record("hashed", question=None, answer=None)
    # another wording, so that nothing is in the cache
    worded = [
        AnswerRecord(**{**item.__dict__, "question": f"{item.question} Say it.", "answer": "No."})
        for item in asked
    ]
    found = judge_day(judging, [*worded, lost, hashed], NOTHING, judge_with_llm)
    rows = {
        row["answer_id"]: row for row in by_metric(found.rows, "deepeval.hallucination").to_dicts()
    }
    failing = [item.answer_id for item in asked if canary("merger") in (item.question or "")]
    assert rows[failing[0]]["status"] in ("invalid", "error")
    assert rows[failing[0]]["score"] is None
    assert (rows["lost"]["status"], rows["hashed"]["status"]) == ("error", "not_applicable")
    assert "release 99" in rows["lost"]["reason"]
    assert found.unreadable == {"release 99 is not in the registry any more": 1}
    assert found.without_texts == 1
    (score,) = store.scores_of(by_metric(found.rows, "deepeval.hallucination")).to_dicts()
    assert score["judged"] < score["applicable"] == 4
    assert score["coverage"] == score["judged"] / 4


def test_only_metrics_that_need_no_reference_and_that_are_wanted() -> None:
    assert live_metrics(JudgeSettings()) == []
    some = JudgeSettings(base_url="http://judge", metrics=["ragas.*", "deepeval.hallucination"])
    assert live_metrics(some) == [
        "ragas.faithfulness",
        "ragas.answer_relevancy",
        "deepeval.hallucination",
    ]
    assert live_metrics(JudgeSettings(base_url="http://judge")) == list(LIVE_METRICS)


def test_an_answer_that_left_the_sample_keeps_what_it_cost() -> None:
    before = frame(judged("gone", cost_usd=2.0), judged("free", calls=0, cost_usd=0.0))
    found = with_previous_cost(frame(judged("here")), before)
    assert found.select("answer_id", "status", "cost_usd").rows() == [
        ("here", "ok", 0.5),
        ("gone", "not_applicable", 2.0),
    ]
    gone = found.row(1, named=True)
    assert (gone["score"], gone["reason"]) == (None, LEFT)
    back = with_previous_cost(frame(judged("gone", calls=0, cost_usd=0.0)), found)
    assert dict(back.select("answer_id", "cost_usd").rows()) == {"gone": 2.0, "here": 0.5}


def test_a_judgement_that_is_tried_again_costs_again() -> None:
    before = frame(judged("a", status="timeout", score=None, calls=1, cost_usd=0.25))
    (row,) = with_previous_cost(frame(judged("a", calls=2, cost_usd=0.5)), before).to_dicts()
    assert (row["status"], row["calls"], row["cost_usd"]) == ("ok", 3, 0.75)


def test_who_was_paid_is_not_forgotten_when_the_passages_are_gone() -> None:
    lost = judged("a", judge="none", status="error", score=None, calls=0, cost_usd=0.0)
    (row,) = with_previous_cost(frame(lost), frame(judged("a"))).to_dicts()
    assert (row["status"], row["judge"], row["cost_usd"]) == ("error", "tiny@localhost", 0.5)


RUNS = st.lists(
    st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.booleans(), st.integers(0, 5))),
    max_size=5,
)


@given(RUNS)
def test_money_is_never_lost_nor_counted_twice(runs: list[dict[str, tuple[bool, int]]]) -> None:
    known, paid = NOTHING, 0
    for sample in runs:
        rows = [
            judged(
                answer_id,
                status="ok" if ok else "timeout",
                score=1.0 if ok else None,
                calls=cost,
                cost_usd=float(cost),
            )
            for answer_id, (ok, cost) in sample.items()
        ]
        paid += sum(cost for _, cost in sample.values())
        known = with_previous_cost(frame(*rows), known)
        assert known.select("answer_id", "metric").is_unique().all()
        assert known["cost_usd"].sum() == paid
        assert {*known.filter(status="ok")["answer_id"]} == {
            key for key in sample if sample[key][0]
        }
    settled = with_previous_cost(NOTHING, known)
    assert settled["cost_usd"].sum() == paid
