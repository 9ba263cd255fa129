"""Citations, abstention and thresholds are counted as they are described."""

import numpy as np
import polars as pl
import pytest

from evals.gates.thresholds import judge_thresholds, parse_thresholds
from evals.golden_questions.schema import GOLDEN_QUESTIONS
from evals.retrieval_evaluation.citations import first_rank, gold_pages, shares_at
from evals.retrieval_evaluation.learning.answerability import (
    MIN_OF_A_KIND,
    area_under_roc,
    error_shares,
    learn_abstention,
)
from rag_assets.platform.errors import ConfigurationError


def test_the_rank_of_the_first_citation_on_a_gold_page() -> None:
    gold = {("plan.pdf", 3), ("plan.pdf", 4)}
    places = [[("other.pdf", 3)], [], [("plan.pdf", 2), ("plan.pdf", 3)], [("plan.pdf", 4)]]
    assert first_rank(gold, places) == 3
    assert first_rank(gold, places[:2]) is None


def test_shares_count_questions_without_a_gold_page_as_misses() -> None:
    assert shares_at([1, 2, 4, None]) == {
        "gold_page@1": 0.25,
        "gold_page@3": 0.5,
        "gold_page@5": 0.75,
    }


def test_only_pages_that_the_set_names_are_gold() -> None:
    items = [
        {"document_id": "a", "quote": None, "page": 7, "grade": 1},
        {"document_id": "b", "quote": None, "page": None, "grade": 1},
    ]
    rows = [{"question_id": "q", "relevant": items}, {"question_id": "r", "relevant": items[1:]}]
    assert gold_pages(pl.DataFrame(rows, schema=GOLDEN_QUESTIONS)) == {"q": {("a", 7)}}


def test_errors_are_shares_of_their_own_kind() -> None:
    labels = [True, True, True, True, False, False]
    values = np.array([0.9, 0.5, 0.4, 0.1, 0.5, 0.2])
    assert error_shares(labels, values, 0.5) == {"wrongly_refused": 0.5, "wrongly_answered": 0.5}
    assert error_shares(labels, values, 0.0) == {"wrongly_refused": 0.0, "wrongly_answered": 1.0}


def test_the_area_under_the_curve_is_the_share_of_ordered_pairs() -> None:
    labels, values = np.array([True, True, False, False]), np.array([0.9, 0.3, 0.5, 0.1])
    assert area_under_roc(labels, values) == pytest.approx(3 / 4)


def test_too_few_questions_of_a_kind_teach_no_threshold() -> None:
    answerable = {f"q{n}": n >= MIN_OF_A_KIND - 1 for n in range(50)}
    features = {question: {"margin": 1.0} for question in answerable}
    assert learn_abstention(features, answerable, None) is None


SUMMARY = {
    "metrics": {"ndcg@10": 0.7},
    "abstention": None,
    "citations": {"gold_page@5": 0.84, "passages": {}, "questions": 50},
}


def test_a_threshold_is_reached_or_missed_or_not_measured() -> None:
    texts = ["ndcg@10=0.7", "gold_page@5 = 0.9", "auroc=0.1"]
    verdicts = judge_thresholds(parse_thresholds(texts, 10), SUMMARY)
    assert [(verdict.passed, verdict.value) for verdict in verdicts] == [
        (True, 0.7),
        (False, 0.84),
        (False, None),
    ]


@pytest.mark.parametrize("text", ["ndcg@10", "ndcg@10=high", "ndcg@5=0.7", "speed=1", ""])
def test_a_threshold_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_thresholds([text], 10)
