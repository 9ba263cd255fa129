"""Which stored evaluations say how two releases compare, and on which questions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from evals.answer_evaluation import results as answer_results
from evals.evaluations import Evaluation, Evaluations
from evals.release_diff.metrics import MetricChange, answer_metrics, retrieval_metrics
from evals.release_diff.pairs import joined, mirrored, stored_pairs
from evals.retrieval_evaluation.results import store
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from tests.evals.gates.rows import answers, judgements, results

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(Settings(home=str(tmp_path)))


def stored(
    platform: Platform,
    release: int,
    rows: pl.DataFrame,
    *,
    baseline: int | None = None,
    hours: int = 0,
    k: int = 10,
    version: str = "v1",
    dataset: str = "golden",
) -> Evaluation:
    record = Evaluation(
        "retrieval",
        dataset,
        release,
        {"k": k},
        baseline,
        version,
        created_at=NOON + timedelta(hours=hours),
    )
    store(platform, [(record, rows)])
    return record


def alone(scores: list[float]) -> pl.DataFrame:
    """An evaluation that was compared with nothing."""
    return results("golden", [None] * len(scores), scores)


def means(platform: Platform, before: int, after: int) -> dict[str, Any]:
    pairs, notes = stored_pairs(platform, before, after)
    assert not notes
    return {
        change.metric: (change.before, change.after, change.questions)
        for item in pairs
        for change in retrieval_metrics(item, 0.95)
    }


def test_an_evaluation_beside_the_earlier_release_says_it(platform: Platform) -> None:
    stored(platform, 2, results("golden", [1.0, 0.5], [0.5, 0.5]), baseline=1)
    assert means(platform, 1, 2) == {"ndcg@10": (0.75, 0.5, 2)}
    (pair,), _ = stored_pairs(platform, 1, 2)
    assert pair.origin == "together"


def test_the_other_way_round_it_is_mirrored(platform: Platform) -> None:
    stored(platform, 2, results("golden", [1.0, 0.5], [0.5, 0.5]), baseline=1)
    assert means(platform, 2, 1) == {"ndcg@10": (0.5, 0.75, 2)}


def test_mirroring_twice_changes_nothing() -> None:
    rows = results("golden", [1.0, None], [0.5, 0.2])
    assert_frame_equal(mirrored(mirrored(rows)), rows)
    assert not mirrored(rows).equals(rows)


def test_two_evaluations_are_paired_by_question(platform: Platform) -> None:
    stored(platform, 1, alone([1.0, 0.0, 0.6]))
    # the first three questions are the same; the order is another, and one was not asked before
    stored(platform, 3, alone([0.5, 0.0, 0.6, 1.0]).reverse(), baseline=2, version="v2")
    assert means(platform, 1, 3) == {"ndcg@10": (pytest.approx(1.6 / 3), pytest.approx(1.1 / 3), 3)}
    (pair,), _ = stored_pairs(platform, 1, 3)
    assert (pair.origin, pair.same_questions) == ("apart", False)


def test_a_question_asked_twice_is_paired_once() -> None:
    twice = pl.concat([alone([1.0]), alone([0.0])])
    assert joined(twice, alone([0.5]))["baseline_ndcg"].to_list() == [1.0]


def test_the_newest_evaluation_of_both_counts(platform: Platform) -> None:
    stored(platform, 1, alone([0.1]))
    stored(platform, 2, results("golden", [0.2], [0.3]), baseline=1, hours=1)
    assert means(platform, 1, 2) == {"ndcg@10": (0.2, 0.3, 1)}
    # measured apart, one of them before that
    stored(platform, 2, alone([0.4]), hours=2)
    assert means(platform, 1, 2) == {"ndcg@10": (0.2, 0.3, 1)}
    stored(platform, 1, alone([0.5]), hours=3)
    assert means(platform, 1, 2) == {"ndcg@10": (0.5, 0.4, 1)}
    stored(platform, 1, results("golden", [0.6], [0.7]), baseline=2, hours=4)
    assert means(platform, 1, 2) == {"ndcg@10": (0.7, 0.6, 1)}


@pytest.mark.parametrize(
    ("second", "why"),
    [
        ({"release": 3}, "only release 1 was evaluated on it"),
        ({"release": 2, "k": 5}, "measured at 10 and at 5 documents: not comparable"),
        ({"release": 2, "rows": results("other", [None], [1.0])}, "no question was asked of both"),
    ],
)
def test_what_cannot_be_compared_is_said(
    platform: Platform, second: dict[str, Any], why: str
) -> None:
    stored(platform, 1, alone([0.5]))
    stored(platform, **{"rows": alone([0.5]), **second})
    pairs, (note,) = stored_pairs(platform, 1, 2)
    assert not pairs
    assert note.startswith(f"golden: {why}")


def test_rows_that_were_cleaned_up_are_said(platform: Platform) -> None:
    record = stored(platform, 2, results("golden", [1.0], [0.5]), baseline=1)
    platform.tables.drop(record.table, record.evaluation_id)
    assert stored_pairs(platform, 1, 2) == (
        [],
        ["golden: the rows of its evaluation have been cleaned up"],
    )


def test_of_sets_that_neither_was_evaluated_on_nothing_is_said(platform: Platform) -> None:
    stored(platform, 7, alone([0.5]))
    assert stored_pairs(platform, 1, 2) == ([], [])


def test_an_interval_says_what_is_beyond_chance(platform: Platform) -> None:
    stored(platform, 2, results("golden", [1.0] * 20, [0.5] * 10 + [0.4] * 10), baseline=1)
    (pair,), _ = stored_pairs(platform, 1, 2)
    (worse,) = retrieval_metrics(pair, 0.95)
    assert worse.verdict == "worse"
    assert worse.difference == pytest.approx(-0.55)
    assert worse.low < worse.difference < worse.high < 0
    (better,) = retrieval_metrics(replace(pair, rows=mirrored(pair.rows)), 0.95)
    assert better.verdict == "better"
    assert better.to_dict()["verdict"] == "better"
    mixed = results("golden", [1.0, 0.0] * 10, [0.0, 1.0] * 10)
    assert retrieval_metrics(replace(pair, rows=mixed), 0.95)[0].verdict == "chance"
    same = results("golden", [1.0, 0.0] * 10, [1.0, 0.0] * 10)
    assert retrieval_metrics(replace(pair, rows=same), 0.95)[0].verdict == "same"
    few = results("golden", [1.0] * 9, [0.0] * 9)
    assert retrieval_metrics(replace(pair, rows=few), 0.95)[0].verdict == "few"


def answered(
    platform: Platform, release: int, scores: list[float], judged: pl.DataFrame, version: str = "v1"
) -> None:
    record = Evaluation("answer", "golden", release, {}, questions_version=version)
    rows = answers("golden", [{"support": score} for score in scores])
    answer_results.store(platform, record, rows, judged)


def by_metric(changes: list[MetricChange]) -> dict[str, Any]:
    return {item.metric: (item.before, item.after, item.questions) for item in changes}


def test_answers_are_compared_question_by_question(platform: Platform) -> None:
    answered(platform, 1, [0.4, 0.8, 0.9], judgements([1.0, None, 0.5]))
    answered(platform, 2, [0.6, 1.0], judgements([0.5, 0.9]), "v2")
    changes, notes = answer_metrics(platform, 1, 2, 0.95)
    assert not notes
    assert by_metric(changes) == {
        "support": (pytest.approx(0.6), pytest.approx(0.8), 2),
        # a timeout is no score
        "ragas.faithfulness": (1.0, 0.5, 1),
    }
    assert {item.same_questions for item in changes} == {False}


def test_another_judge_is_not_compared(platform: Platform) -> None:
    answered(platform, 1, [0.4], judgements([1.0]))
    answered(platform, 2, [0.6], judgements([0.5], version="2"))
    changes, notes = answer_metrics(platform, 1, 2, 0.95)
    assert by_metric(changes) == {"support": (0.4, 0.6, 1)}
    (note,) = notes
    assert "ragas.faithfulness: another judge or prompt" in note


def test_a_release_without_answers_is_said(platform: Platform) -> None:
    answered(platform, 1, [0.4], judgements([1.0]))
    assert answer_metrics(platform, 1, 2, 0.95) == (
        [],
        ["answers to golden: only release 1 has any"],
    )
    assert not Evaluations(platform.database).of_release(2)
