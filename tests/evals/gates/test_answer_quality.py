"""The gate of answers compares the same questions, by the same judge, and says what it left out."""

import json
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest

from evals.evaluations import Evaluation
from evals.gates.answer_quality import Answered, answer_quality
from evals.gates.retrieval_quality import Evaluated
from evals.golden_questions.schema import KNOWN_ITEMS
from rag_assets.platform.settings import GateSettings
from rag_assets.releases.gates import Gate
from tests.evals.gates.rows import CANDIDATE, LIVE, answers, as_asked, judgements, questions

ON = GateSettings(answers=True)
GOOD = {"support": 0.9, "citation_precision": 1.0, "token_f1": 0.8, "abstention": 1.0}
BAD = {**GOOD, "support": 0.3}
ASKED = questions("golden", 30)


def answered(
    release: int,
    scores: Sequence[dict[str, Any]],
    judged: pl.DataFrame | None = None,
    dataset: str = "golden",
) -> Answered:
    record = Evaluation("answer", dataset, release, {})
    found = Evaluated(record, answers(dataset, scores))
    return Answered(found, judgements([]) if judged is None else judged)


def judge(
    candidate: list[Answered],
    before: list[Answered],
    asked: pl.DataFrame = ASKED,
    settings: GateSettings = ON,
    live: int | None = LIVE,
) -> Gate:
    candidate = [
        Answered(Evaluated(as_asked(found.evaluation, asked), found.rows), judged)
        for found, judged in candidate
    ]
    return answer_quality(candidate, before, asked, live=live, settings=settings, min_coverage=0.8)


def test_worse_answers_block_and_both_are_described() -> None:
    now = answered(CANDIDATE, [{**BAD, "answer": "made <up>"}] * 10 + [GOOD] * 20)
    gate = judge([now], [answered(LIVE, [GOOD] * 30)])
    assert gate.blocks
    assert "golden support 0.900 → 0.700" in gate.explanation
    assert "token F1" not in gate.explanation  # only what failed
    assert gate.metadata["golden support difference"] == pytest.approx(-0.2)
    assert "| before | 3 words | docs/0 |" in gate.report
    assert "| now | 2 words | docs/0 |" in gate.report
    assert "made" not in gate.report  # answers say what documents say
    json.dumps(gate.metadata, allow_nan=False)


def test_equal_answers_pass() -> None:
    gate = judge([answered(CANDIDATE, [GOOD] * 30)], [answered(LIVE, [GOOD] * 30)])
    assert gate.passed
    assert "faithfulness was not judged" in gate.explanation


def test_the_margin_is_that_of_answers() -> None:
    now = answered(CANDIDATE, [{**GOOD, "support": 0.86}] * 30)
    before = answered(LIVE, [GOOD] * 30)
    assert judge([now], [before]).passed
    tight = GateSettings(answers=True, answer_margin=0.03)
    assert judge([now], [before], settings=tight).blocks


def test_questions_are_paired_by_what_was_asked_and_not_by_their_names() -> None:
    before = answered(LIVE, [BAD] * 15 + [GOOD] * 15)
    rows = before.found.rows
    # renumbered since: the candidate's answers are the same, question by question
    order = list(reversed(range(30)))
    renamed = rows[order].with_columns(question_id=pl.format("q{}", pl.int_range(30)))
    now = Answered(
        Evaluated(Evaluation("answer", "golden", CANDIDATE, {}), renamed), judgements([])
    )
    gate = judge([now], [before], settings=GateSettings(answers=True, answer_margin=0.0))
    assert gate.passed
    assert "No question got worse." in gate.report


def test_off_and_nothing_measured_is_not_judged() -> None:
    gate = judge([], [], settings=GateSettings())
    assert gate.verdict == "not_judged"
    assert "gates.answers is off" in gate.explanation


def test_off_and_measured_warns_and_stops_nothing() -> None:
    now, before = answered(CANDIDATE, [BAD] * 30), answered(LIVE, [GOOD] * 30)
    assert judge([now], [before], settings=GateSettings()).verdict == "warned"


def test_on_and_not_evaluated_blocks() -> None:
    gate = judge([], [answered(LIVE, [GOOD] * 30)])
    assert gate.blocks
    assert "materialize answer_evaluation first" in gate.explanation


def test_questions_without_answers_of_people_do_not_gate() -> None:
    made = pl.concat(
        [questions(KNOWN_ITEMS, 9, origin="known_item"), questions("made", 9, origin="synthetic")]
    )
    assert judge([], [], asked=made).verdict == "not_judged"


def test_nothing_to_compare_with_passes_with_what_was_measured() -> None:
    now = answered(CANDIDATE, [GOOD] * 30)
    gate = judge([now], [], live=None)
    assert gate.passed
    assert "first release: nothing to compare with; golden support 0.900" in gate.explanation
    gate = judge([now], [])
    assert gate.passed
    assert "release 1 has no measured answers" in gate.explanation
    assert gate.metadata["golden token F1"] == pytest.approx(0.8)


def test_answers_that_fail_are_no_way_around_the_gate() -> None:
    broken = {"error": "the server is down", "answer": None, "abstained": None}
    now = answered(CANDIDATE, [broken] * 10 + [GOOD] * 20)
    gate = judge([now], [answered(LIVE, [GOOD] * 30)])
    assert gate.blocks
    assert "10 of 30 answers to golden ended in an error" in gate.explanation
    few = answered(CANDIDATE, [broken] * 3 + [GOOD] * 27)
    assert judge([few], [answered(LIVE, [GOOD] * 30)]).passed


def judged_gate(now: pl.DataFrame, before: pl.DataFrame) -> Gate:
    return judge([answered(CANDIDATE, [GOOD] * 30, now)], [answered(LIVE, [GOOD] * 30, before)])


def test_judged_faithfulness_counts_with_one_judge_and_enough_judgements() -> None:
    low, high = [0.2] * 30, [0.9] * 30
    gate = judged_gate(judgements(low), judgements(high))
    assert gate.blocks
    assert "faithfulness (ragas.faithfulness) 0.900 → 0.200" in gate.explanation
    assert judged_gate(judgements(high), judgements(high)).passed


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (judgements([0.2] * 30, judge="other@server"), "the judge or its prompt is another one"),
        (judgements([0.2] * 30, version="2"), "the judge or its prompt is another one"),
        (judgements([0.2] * 20 + [None] * 10), "67% of the answers of the candidate were judged"),
        (judgements([]), "0% of the answers of the candidate were judged"),
    ],
)
def test_judgements_that_cannot_be_compared_are_left_out_and_it_is_said(
    now: pl.DataFrame, words: str
) -> None:
    gate = judged_gate(now, judgements([0.9] * 30))
    assert gate.passed
    assert words in gate.explanation
    assert not any("faithfulness" in name for name in gate.metadata)


def test_what_does_not_apply_is_no_missing_judgement() -> None:
    now = judgements([0.9] * 30).with_columns(
        status=pl.when(pl.int_range(pl.len()) < 15)
        .then(pl.lit("not_applicable"))
        .otherwise("status")
    )
    gate = judged_gate(now, judgements([0.9] * 30))
    assert "not compared" not in gate.explanation
    assert gate.metadata["golden faithfulness (ragas.faithfulness) questions"] == 15
