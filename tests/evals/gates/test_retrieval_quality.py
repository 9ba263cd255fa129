"""The gate of retrieval blocks a real loss, says which, and nothing else."""

import json
import random
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.gates.margins import FEWEST, corrected
from evals.gates.retrieval_quality import Evaluated, retrieval_quality
from rag_assets.platform.settings import GateSettings
from rag_assets.releases.gates import Gate
from tests.evals.gates.rows import LIVE, as_asked, evaluated, questions, results

SCORES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.63, 1.0]), min_size=FEWEST, max_size=40)


def judge(
    found: list[Evaluated],
    asked: pl.DataFrame,
    live: int | None = LIVE,
    margin: float = 0.02,
    *,
    edited: bool = False,
) -> Gate:
    if not edited:
        found = [Evaluated(as_asked(item.evaluation, asked), item.rows) for item in found]
    settings = GateSettings(retrieval_margin=margin)
    return retrieval_quality(found, asked, live=live, settings=settings, k=10)


def judge_scores(before: list[float], now: list[float], margin: float = 0.02) -> Gate:
    rows = results("golden", before, now)
    return judge([evaluated("golden", rows)], questions("golden", len(now)), LIVE, margin)


def test_a_loss_beyond_margin_and_chance_blocks_and_is_named() -> None:
    gate = judge_scores([1.0] * 40, [0.0] * 10 + [1.0] * 30)
    assert gate.blocks
    assert "golden ndcg@10 1.000 → 0.750 (-0.250" in gate.explanation
    assert "40 questions" in gate.explanation
    assert gate.metadata["golden ndcg@10 difference"] == -0.25
    assert gate.metadata["golden ndcg@10 high"] < 0
    assert gate.metadata["questions"] == 40
    assert gate.metadata["questions_worse"] == 10
    assert "10 questions got worse" in gate.report
    json.dumps(gate.metadata, allow_nan=False)


def test_a_loss_within_the_margin_passes() -> None:
    before, now = [1.0] * 100, [0.97] * 100  # beyond chance: every question lost .03
    assert judge_scores(before, now, margin=0.02).blocks
    assert judge_scores(before, now, margin=0.03).passed  # more than, not as much as
    assert judge_scores(before, now, margin=0.04).passed


def test_a_loss_within_chance_passes() -> None:
    before = [1.0, 0.0] * 20
    now = [0.0, 1.0] * 18 + [0.0, 0.0] * 2  # -.05, and nearly every question differs
    gate = judge_scores(before, now)
    assert gate.passed
    assert gate.metadata["golden ndcg@10 difference"] == pytest.approx(-0.05)
    assert gate.metadata["golden ndcg@10 high"] > 0


def test_few_questions_are_shown_and_not_gated() -> None:
    lost, kept = [0.0] * (FEWEST - 1), [1.0] * 40
    found = [
        evaluated("golden", results("golden", kept, kept)),
        evaluated("small", results("small", [1.0] * len(lost), lost)),
    ]
    asked = pl.concat([questions("golden", 40), questions("small", len(lost))])
    gate = judge(found, asked)
    assert gate.passed
    assert "too few" in gate.explanation
    assert gate.metadata["small ndcg@10 difference"] == -1.0
    assert "too few questions to gate on" in gate.report
    again = judge_scores([1.0] * FEWEST, [0.0] * FEWEST)
    assert again.blocks


def test_the_confidence_is_shared_by_all_tests() -> None:
    """Four lost of many are beyond chance for one test, and not for one of a dozen."""
    before, now = [1.0] * 100, [0.0] * 4 + [1.0] * 96
    assert judge_scores(before, now).blocks
    names = [f"set{number}" for number in range(12)]
    kept = [1.0] * 100
    found = [evaluated("golden", results("golden", before, now))]
    found += [evaluated(name, results(name, kept, kept)) for name in names]
    asked = pl.concat([questions(name, 100) for name in ["golden", *names]])
    assert judge(found, asked).passed
    assert corrected(0.95, 10) == pytest.approx(0.995)
    assert corrected(0.95, 0) == corrected(0.95, 1) == pytest.approx(0.95)


def test_evidence_is_gated_where_there_are_quotes() -> None:
    rows = results("golden", [1.0] * 40, [1.0] * 40).with_columns(
        evidence_recall=pl.when(pl.int_range(pl.len()) < 15).then(0.0).otherwise(1.0),
        baseline_evidence_recall=pl.lit(1.0),
    )
    gate = judge([evaluated("golden", rows)], questions("golden", 40))
    assert gate.blocks
    assert "evidence_recall@10" in gate.explanation
    assert gate.metadata["tests_failed"] == 1


def test_only_questions_that_gate_count() -> None:
    lost = evaluated("other", results("other", [1.0] * 40, [0.0] * 40))
    kept = evaluated("golden", results("golden", [1.0] * 40, [1.0] * 40))
    asked = questions("golden", 40)
    assert judge([kept, lost], pl.concat([asked, questions("other", 40, gate=False)])).passed
    assert judge([kept, lost], pl.concat([asked, questions("other", 40)])).blocks
    # synthetic questions of a set that gates do not: it is said question by question
    mixed = evaluated("golden", results("golden", [1.0] * 40, [1.0] * 20 + [0.0] * 20))
    half = asked.with_columns(gate=pl.int_range(pl.len()) < 20)
    assert judge([mixed], half).passed
    assert judge([mixed], asked).blocks


def test_questions_that_were_edited_after_the_evaluation_block() -> None:
    asked = questions("golden", 40)
    item = evaluated("golden", results("golden", [1.0] * 40, [1.0] * 40))
    item = Evaluated(as_asked(item.evaluation, asked), item.rows)
    assert judge([item], asked, edited=True).passed
    gate = judge([item], asked.head(39), edited=True)
    assert gate.blocks
    assert "the questions of golden were changed since" in gate.explanation


def test_a_set_that_was_learned_from_as_a_whole_need_not_be_reported() -> None:
    kept = evaluated("golden", results("golden", [1.0] * 20, [1.0] * 20))
    asked = pl.concat([questions("golden", 20), questions("tiny", 2, half="train")])
    assert judge([kept], asked).passed
    assert judge([], questions("tiny", 2, half="train")).verdict == "not_judged"


def test_questions_that_nobody_judged_need_no_evaluation() -> None:
    kept = evaluated("golden", results("golden", [1.0] * 20, [1.0] * 20))
    asked = pl.concat([questions("golden", 20), questions("open", 5, answerable=None)])
    assert judge([kept], asked).passed


def test_the_first_release_passes_with_what_was_measured() -> None:
    rows = results("golden", [None] * 4, [1.0, 0.5, 0.0, None])
    gate = judge([evaluated("golden", rows, None)], questions("golden", 4), live=None)
    assert gate.passed
    assert "first release: nothing to compare with" in gate.explanation
    assert "golden ndcg@10 0.500 (3 questions)" in gate.explanation
    assert gate.metadata == {"golden ndcg@10": 0.5, "golden ndcg@10 questions": 3}


def test_without_questions_it_is_not_judged_and_says_so() -> None:
    gate = judge([], questions("golden", 0))
    assert gate.verdict == "not_judged"
    assert not gate.blocks
    assert "no questions" in gate.explanation
    gate = judge([], questions("golden", 5, gate=False))
    assert gate.verdict == "not_judged"
    assert not gate.blocks
    assert "no judged question gates" in gate.explanation


def test_nothing_comparable_is_not_judged() -> None:
    rows = results("golden", [None] * 20, [1.0] * 20)
    gate = judge([evaluated("golden", rows)], questions("golden", 20))
    assert gate.verdict == "not_judged"
    assert not gate.blocks


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], "has not been evaluated with golden, other"),
        (
            [evaluated("golden", results("golden", [1.0] * 20, [1.0] * 20))],
            "has not been evaluated with other",
        ),
        (
            [
                evaluated("golden", results("golden", [1.0] * 20, [1.0] * 20)),
                evaluated("other", results("other", [1.0] * 20, [1.0] * 20), baseline=7),
            ],
            "other was compared with release 7, and release 1 is live",
        ),
    ],
)
def test_an_evaluation_that_is_missing_or_of_something_else_blocks(
    found: list[Evaluated], words: str
) -> None:
    asked = pl.concat([questions("golden", 20), questions("other", 20)])
    gate = judge(found, asked)
    assert gate.blocks
    assert words in gate.explanation
    assert "materialize retrieval_evaluation first" in gate.explanation


def test_a_live_release_that_could_not_be_asked_is_said_and_not_judged() -> None:
    rows = results("golden", [None] * 20, [1.0] * 20)
    record, _ = evaluated("golden", rows, baseline=None)
    record = replace(record, summary={"baseline": {"why": "another encoder"}})
    gate = judge([Evaluated(record, rows)], questions("golden", 20))
    assert gate.verdict == "not_judged"
    assert gate.explanation.endswith("with release 1: another encoder")


def test_a_deleted_document_is_a_miss() -> None:
    rows = results("golden", [1.0] * 40, [1.0] * 40).with_columns(
        ndcg=pl.when(pl.int_range(pl.len()) < 20).then(None).otherwise("ndcg"),
        evidence=pl.when(pl.int_range(pl.len()) < 20)
        .then(pl.lit("deleted"))
        .otherwise(pl.lit("current")),
    )
    gate = judge([evaluated("golden", rows)], questions("golden", 40))
    assert gate.blocks
    assert gate.metadata["golden ndcg@10"] == 0.5
    assert "evidence deleted" in gate.report


def test_a_tag_that_fell_is_shown_behind_an_average_that_holds() -> None:
    rows = results("golden", [1.0] * 300, [0.0] * 3 + [1.0] * 297)
    tags = pl.when(pl.int_range(pl.len()) < 4).then(pl.lit(["rare"])).otherwise(pl.lit(["usual"]))
    gate = judge([evaluated("golden", rows.with_columns(tags=tags))], questions("golden", 300))
    assert gate.passed
    assert "Tags that fell" in gate.report
    assert "golden / rare" in gate.report
    assert "golden / usual" not in gate.report


@given(scores=SCORES)
@settings(max_examples=30, deadline=None)
def test_a_candidate_equal_to_the_live_release_passes(scores: list[float]) -> None:
    gate = judge_scores(scores, list(scores), margin=0.0)
    assert gate.passed
    assert "No question got worse." in gate.report


@given(before=SCORES, data=st.data())
@settings(max_examples=30, deadline=None)
def test_one_more_loss_never_turns_a_block_into_a_pass(
    before: list[float], data: st.DataObject
) -> None:
    lost = data.draw(st.sets(st.integers(0, len(before) - 1), min_size=1))
    now = [0.0 if at in lost else score for at, score in enumerate(before)]
    worse = list(now)
    at = data.draw(st.integers(0, len(before) - 1))
    worse[at] = now[at] * data.draw(st.sampled_from([0.0, 0.5]))
    if judge_scores(before, now).blocks:
        assert judge_scores(before, worse).blocks


@given(before=SCORES, data=st.data())
@settings(max_examples=20, deadline=None)
def test_the_order_of_questions_does_not_matter(before: list[float], data: st.DataObject) -> None:
    now = data.draw(
        st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=len(before), max_size=len(before))
    )
    rows = results("golden", before, now)
    order = list(range(len(now)))
    random.Random(data.draw(st.integers(0, 99))).shuffle(order)
    asked = questions("golden", len(now))
    first = judge([evaluated("golden", rows)], asked)
    second = judge([evaluated("golden", rows[order])], asked[order])
    assert first == second
