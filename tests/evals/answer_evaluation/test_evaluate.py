"""Answers of a real deployment get the scores that their questions say they deserve."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from evals.answer_evaluation.answering import ask_all
from evals.answer_evaluation.evaluate import AnswerEvaluation, evaluate_answers, sampled
from evals.answer_evaluation.schema import ANSWER_RESULTS, SCORES
from evals.retrieval_evaluation.retrieve import ReleaseChanged, callers_of
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import (
    CostSettings,
    EvaluationSettings,
    JudgeSettings,
    LLMSettings,
    PriceSettings,
)
from rag_assets.query.access import Caller
from rag_assets.query.answer import Answer, Passage
from rag_assets.query.engine import QueryEngine
from rag_assets.query.log import AnswerLog
from rag_assets.query.pinned import pinned_engine, without_groups
from tests.evals.answer_evaluation.deployment import ARCHIVE, QUESTIONS, document, golden, question
from tests.evals.judges.judge_server import MODEL, JudgeServer
from tests.query.openai_server import OpenAIServer, Reply
from tests.query.restricted import canary, changed

REFERENCED = ("token_f1", "rouge_l", "similarity")


@pytest.fixture(scope="module")
def evaluated(platform: Platform, engine: QueryEngine) -> AnswerEvaluation:
    return evaluate_answers(platform, engine, golden(), without_groups(platform))


@pytest.fixture(scope="module")
def rows(evaluated: AnswerEvaluation) -> dict[str, dict[str, Any]]:
    return {row["question_id"]: row for row in evaluated.rows.to_dicts()}


def with_llm(platform: Platform, server: OpenAIServer) -> Platform:
    llm = LLMSettings(base_url=server.url, model="tiny", timeout_seconds=2.0, retries=0)
    cost = CostSettings(prices={"tiny": PriceSettings(prompt=10.0, completion=100.0)})
    return changed(platform, llm=llm, cost=cost)


def test_rows_are_those_of_the_schema_in_the_order_of_the_questions(
    evaluated: AnswerEvaluation,
) -> None:
    assert evaluated.rows.schema == ANSWER_RESULTS
    asked = [row["question_id"] for row in QUESTIONS if row["question_id"] != "unjudged"]
    assert evaluated.rows["question_id"].to_list() == asked
    for name in SCORES:
        values = evaluated.rows[name].drop_nulls()
        assert values.is_between(0, 1).all(), name
        assert len(values), name


def test_an_answer_that_quotes_the_evidence_is_a_good_one(rows: dict[str, dict[str, Any]]) -> None:
    row = rows["public"]
    assert document("welcome") in row["cited"]
    assert row["citation_recall"] == row["context_recall"] == row["abstention"] == 1.0
    assert row["similarity"] > 0.5
    assert 0 < row["citation_precision"] <= 1
    assert row["answerer"] == "extractive"
    assert (row["error"], row["cost_usd"], row["prompt_tokens"]) == ("", 0.0, 0)


def test_a_question_is_asked_with_its_own_rights(rows: dict[str, dict[str, Any]]) -> None:
    assert document("salaries") in rows["restricted"]["cited"]
    assert rows["restricted"]["citation_recall"] == 1.0
    curious = rows["curious"]
    assert curious["citation_recall"] == curious["context_recall"] == 0.0
    assert document("salaries") not in curious["cited"]
    assert canary("salaries") not in curious["answer"]


def test_a_copy_of_the_evidence_is_the_evidence(
    rows: dict[str, dict[str, Any]], engine: QueryEngine
) -> None:
    answer = engine.ask(rows["copy"]["question"], Caller(frozenset({"board"})))
    kept = [item for item in answer.citations if ARCHIVE in item.quote]
    named = {document("copy-board"), document("copy-public")}
    assert [{item.document_id, *item.copies} for item in kept] == [named]
    assert rows["copy"]["citation_recall"] == 1.0


def test_evidence_without_a_quote_is_the_whole_document(rows: dict[str, dict[str, Any]]) -> None:
    assert rows["whole"]["citation_recall"] == 1.0
    assert rows["whole"]["context_recall"] is None
    assert all(rows["whole"][name] is None for name in REFERENCED)


def test_outdated_questions_are_flagged_and_count_in_no_score(
    rows: dict[str, dict[str, Any]], evaluated: AnswerEvaluation
) -> None:
    for state in ("changed", "deleted"):
        assert rows[state]["evidence"] == state
        assert [name for name in SCORES if rows[state][name] is not None] == ["support"]
    assert evaluated.summary["evidence"] == {"changed": 1, "current": 5, "deleted": 1, "none": 1}
    assert evaluated.summary["metrics"]["abstention"]["n"] == 6


def test_answering_what_has_no_answer_is_wrong(
    rows: dict[str, dict[str, Any]], evaluated: AnswerEvaluation
) -> None:
    row = rows["unanswerable"]
    assert (row["abstained"], row["abstention"]) == (False, 0.0)
    assert row["citation_recall"] is None
    abstention = evaluated.summary["abstention"]
    assert (abstention["unanswerable"], abstention["wrongly_answered"]) == (1, 1.0)


def test_the_summary_adds_the_rows_up(evaluated: AnswerEvaluation) -> None:
    summary, rows = evaluated.summary, evaluated.rows
    assert (summary["queries"], summary["of"], summary["unjudged"]) == (8, 8, 1)
    for name in SCORES:
        metric, values = summary["metrics"][name], rows[name].drop_nulls()
        assert metric["n"] == len(values)
        assert metric["mean"] == pytest.approx(values.mean())
        assert metric["confidence"][0] <= metric["mean"] + 1e-9
        assert metric["mean"] <= metric["confidence"][1] + 1e-9
    limits = rows.filter(pl.col("tags").list.contains("limits"))
    assert summary["tags"]["limits"]["queries"] == limits.height == 3
    assert summary["tags"]["limits"]["token_f1"] == pytest.approx(limits["token_f1"].mean())
    assert set(summary["tags"]) == {"limits", "open"}
    assert summary["errors"] == {"count": 0, "kinds": {}}
    assert summary["answerers"] == {"extractive": 8}
    latency = summary["latency_ms"]
    assert latency["p50"] == pytest.approx(rows["latency_ms"].median(), abs=0.01)
    assert latency["p50"] <= latency["p95"] <= latency["p99"] <= max(rows["latency_ms"]) + 0.01


def test_without_a_judge_nothing_is_judged(evaluated: AnswerEvaluation) -> None:
    assert evaluated.judgements.is_empty()
    assert evaluated.summary["judge"] == {}
    assert evaluated.summary["cost_usd"]["per_judged_answer"] is None


def test_a_second_run_says_the_same_but_for_the_time(
    platform: Platform, engine: QueryEngine, evaluated: AnswerEvaluation
) -> None:
    again = evaluate_answers(platform, engine, golden(), without_groups(platform))
    assert again.rows.drop("latency_ms").equals(evaluated.rows.drop("latency_ms"))
    times = {"latency_ms"}
    for name in again.summary.keys() - times:
        assert again.summary[name] == evaluated.summary[name], name


def test_questions_of_an_evaluation_are_not_in_the_query_log(
    platform: Platform, evaluated: AnswerEvaluation
) -> None:
    assert evaluated.rows.height
    now = datetime.now(UTC)
    assert AnswerLog(platform.database).between(now - timedelta(days=1), now) == []


def test_a_question_that_fails_is_a_row_and_ends_nothing(
    platform: Platform, engine: QueryEngine
) -> None:
    longest = platform.settings.query.max_question_chars
    some = [
        question("long", "why " * longest, *QUESTIONS[0]["relevant"], answer="x"),
        *QUESTIONS[:2],
    ]
    out = evaluate_answers(platform, engine, golden(some), without_groups(platform))
    failed = out.rows.row(0, named=True)
    assert failed["error"].startswith("InvalidQuestion: ")
    assert failed["answer"] is None
    assert all(failed[name] is None for name in SCORES)
    assert out.rows["error"].to_list()[1:] == ["", ""]
    assert out.summary["errors"] == {"count": 1, "kinds": {"InvalidQuestion": 1}}
    assert out.summary["metrics"]["token_f1"]["n"] == 2
    assert out.summary["cost_usd"]["per_answer"] == 0.0


class BrokenEngine:
    """An engine on which every answer fails in a way that nobody foresaw."""

    def __init__(self, engine: QueryEngine) -> None:
        self._engine = engine
        self.encoder = engine.encoder

    def release_info(self) -> dict[str, Any]:
        return self._engine.release_info()

    def ask_and_read(self, question: str, caller: Caller) -> tuple[Answer, list[Passage]]:
        raise ZeroDivisionError("by nobody foreseen: at all")


def test_an_engine_that_always_fails_gives_rows_with_errors(
    platform: Platform, engine: QueryEngine
) -> None:
    broken: Any = BrokenEngine(engine)
    out = evaluate_answers(platform, broken, golden(), without_groups(platform))
    assert out.rows.height == 8
    assert set(out.rows["error"]) == {"ZeroDivisionError: by nobody foreseen: at all"}
    assert out.summary["errors"] == {"count": 8, "kinds": {"ZeroDivisionError": 8}}
    assert all(
        metric == {"mean": None, "confidence": None, "n": 0}
        for metric in out.summary["metrics"].values()
    )
    assert out.summary["latency_ms"] == {"p50": None, "p95": None, "p99": None}
    assert out.summary["cost_usd"]["per_answer"] is None


def test_answers_of_two_releases_do_not_belong_together(
    platform: Platform, engine: QueryEngine
) -> None:
    class Moving(BrokenEngine):
        releases = iter(range(1, 100))

        def ask_and_read(self, question: str, caller: Caller) -> tuple[Answer, list[Passage]]:
            return Answer("id", "", True, [], {"id": next(self.releases)}), []

    moving: Any = Moving(engine)
    callers = callers_of(golden(), without_groups(platform))
    with pytest.raises(ReleaseChanged):
        ask_all(moving, golden(QUESTIONS[:2]), callers, lambda *told: None)


def test_an_llm_is_asked_where_one_is_configured(platform: Platform, server: OpenAIServer) -> None:
    server.default = Reply(("The limit is 7 days [1]. ", "It is generous [99]."), usage=(100, 10))
    own = with_llm(platform, server)
    again, failing = {**QUESTIONS[0], "question_id": "again"}, question("long", "why " * 9999)
    some = golden([QUESTIONS[0], again, failing])
    out = evaluate_answers(own, pinned_engine(own), some, without_groups(own))
    row = out.rows.row(0, named=True)
    assert (row["answerer"], row["model"]) == ("llm", "tiny")
    assert (row["prompt_tokens"], row["completion_tokens"]) == (100, 10)
    price = 100 * 10e-6 + 10 * 100e-6
    assert row["cost_usd"] == pytest.approx(price)
    assert row["degraded"] == ["citations_removed"]
    summary = out.summary
    assert summary["tokens"] == {"prompt": 200, "completion": 20}
    assert summary["cost_usd"]["answers"] == pytest.approx(2 * price)
    assert summary["cost_usd"]["per_answer"] == pytest.approx(price)
    assert summary["degraded"] == {"citations_removed": 2}
    assert summary["answerers"] == {"llm": 2}


def test_an_abstention_is_an_empty_answer(platform: Platform, engine: QueryEngine) -> None:
    class Refusing(BrokenEngine):
        """Abstains: what it found was not enough."""

        def ask_and_read(self, question: str, caller: Caller) -> tuple[Answer, list[Passage]]:
            return Answer("id", "Nothing supports it.", True, [], self.release_info()), []

    refusing: Any = Refusing(engine)
    out = evaluate_answers(platform, refusing, golden(QUESTIONS[:1]), without_groups(platform))
    row = out.rows.row(0, named=True)
    assert (row["abstained"], row["abstention"]) == (True, 0.0)
    assert [row[name] for name in REFERENCED] == [0.0, 0.0, 0.0]
    assert (row["citation_precision"], row["support"]) == (None, None)
    assert row["citation_recall"] == row["context_recall"] == row["context_precision"] == 0.0
    assert out.summary["abstention"]["wrongly_refused"] == 1.0


def test_answers_are_judged_and_every_judgement_is_accounted_for(
    platform: Platform, engine: QueryEngine, judge: JudgeServer
) -> None:
    cost = CostSettings(prices={MODEL: PriceSettings(prompt=10.0, completion=100.0)})
    settings = JudgeSettings(
        base_url=judge.url, model=MODEL, metrics=["ragas.faithfulness", "deepeval.hallucination"]
    )
    own = changed(platform, judge=settings, cost=cost)
    some = golden([*QUESTIONS[:1], question("long", "why " * 9999)])
    out = evaluate_answers(own, engine, some, without_groups(own))
    assert out.judgements["sample_id"].to_list() == ["public", "public"]
    assert out.judgements["status"].to_list() == ["ok", "ok"]
    summary = out.summary
    assert set(summary["judge"]) == set(settings.metrics)
    assert all(item["coverage"] == 1.0 for item in summary["judge"].values())
    spent = float(out.judgements["cost_usd"].sum())
    assert spent > 0
    assert summary["cost_usd"]["judge"] == summary["cost_usd"]["per_judged_answer"] == spent
    sent = "\n".join(judge.prompts())
    assert canary("welcome") in sent
    assert canary("salaries") not in sent


def test_at_most_so_many_are_asked_and_the_same_ones_every_time(
    platform: Platform, engine: QueryEngine
) -> None:
    own = changed(platform, evaluation=EvaluationSettings(max_answers=3))
    out = evaluate_answers(own, engine, golden(), without_groups(own))
    assert (out.summary["queries"], out.summary["of"]) == (3, 8)
    kept = out.rows["question_id"].to_list()
    assert (
        sampled(golden().reverse().filter(pl.col("answerable").is_not_null()), 3)[
            "question_id"
        ].to_list()
        == kept[::-1]
    )
    fewer = golden().filter(pl.col("answerable").is_not_null(), pl.col("question_id") != kept[0])
    assert set(kept[1:]) < set(sampled(fewer, 3)["question_id"])


def test_no_questions_are_no_error(platform: Platform, engine: QueryEngine) -> None:
    out = evaluate_answers(platform, engine, golden([]), without_groups(platform))
    assert out.rows.is_empty()
    assert out.rows.schema == ANSWER_RESULTS
    assert (out.summary["queries"], out.summary["tags"]) == (0, {})
