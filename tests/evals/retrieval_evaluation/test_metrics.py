"""Metrics agree with their definitions, and intervals with the values they are of."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evals.retrieval_evaluation.metrics import metric_names, score_rankings
from evals.statistics import mean_interval, paired_difference
from rag_assets.platform.errors import ConfigurationError

DOCUMENTS = [f"docs/{letter}" for letter in "abcdefghij"]
GRADES = st.dictionaries(st.sampled_from(DOCUMENTS), st.integers(0, 3), min_size=1).filter(
    lambda grades: any(grades.values())
)
VALUES = arrays(np.float64, st.integers(2, 30), elements=st.floats(0, 1))


def gain(grades: list[int]) -> float:
    return sum(grade / math.log2(rank + 2) for rank, grade in enumerate(grades))


def by_definition(ranking: list[str], grades: dict[str, int], k: int) -> dict[str, float]:
    top = [grades.get(document, 0) for document in ranking[:k]]
    relevant = sum(grade > 0 for grade in grades.values())
    found = [grade > 0 for grade in top]
    return {
        f"ndcg@{k}": gain(top) / gain(sorted(grades.values(), reverse=True)[:k]),
        f"recall@{k}": sum(found) / relevant,
        f"mrr@{k}": 1 / (found.index(True) + 1) if any(found) else 0.0,
        f"precision@{k}": sum(found) / k,
        f"hit_rate@{k}": float(any(found)),
    }


def test_a_case_made_by_hand() -> None:
    scores = score_rankings(
        {"q": ["docs/x", "docs/a", "docs/b"]},
        {"q": {"docs/a": 2, "docs/b": 1, "docs/c": 1}},
        metric_names(2),
    )
    best = 2 + 1 / math.log2(3)
    assert scores["ndcg@2"][0] == pytest.approx((2 / math.log2(3)) / best, abs=1e-6)
    assert scores["recall@2"][0] == pytest.approx(1 / 3, abs=1e-6)
    assert scores["mrr@2"][0] == pytest.approx(0.5, abs=1e-6)
    assert scores["precision@2"][0] == pytest.approx(0.5, abs=1e-6)
    assert scores["hit_rate@2"][0] == 1.0


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.permutations(DOCUMENTS), GRADES), min_size=1, max_size=4),
    st.integers(1, 12),
)
def test_every_metric_agrees_with_its_definition(
    cases: list[tuple[list[str], dict[str, int]]], k: int
) -> None:
    rankings = {f"question {n}": ranking for n, (ranking, _) in enumerate(cases)}
    relevant = {f"question {n}": grades for n, (_, grades) in enumerate(cases)}
    scores = score_rankings(rankings, relevant, metric_names(k))
    for index, (ranking, grades) in enumerate(cases):
        for name, value in by_definition(ranking, grades, k).items():
            assert scores[name][index] == pytest.approx(value, abs=1e-6)


def test_scores_stand_in_the_order_of_the_questions_and_nothing_found_is_zero() -> None:
    relevant = {name: {"docs/a": 1} for name in ("z", "empty", "a", "absent")}
    scores = score_rankings(
        {"a": ["docs/b", "docs/a"], "z": ["docs/a"], "empty": []}, relevant, ["mrr@5"]
    )
    assert scores["mrr@5"].tolist() == [1.0, 0.0, 0.5, 0.0]


def test_a_set_for_which_nothing_was_found_scores_zero() -> None:
    assert score_rankings({}, {"q": {"docs/a": 1}}, ["ndcg@10"])["ndcg@10"].tolist() == [0.0]


@pytest.mark.parametrize("name", ["ndcg", "ndcg@", "ndcg@0", "ndcg@-1", "map@10", "ndcg@ten"])
def test_an_unknown_metric_is_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a metric"):
        score_rankings({"q": ["docs/a"]}, {"q": {"docs/a": 1}}, [name])


@settings(deadline=None)
@given(VALUES)
def test_an_interval_holds_its_mean_and_stays_within_the_values(values: np.ndarray) -> None:
    interval = mean_interval(values)
    assert interval.mean == pytest.approx(values.mean())
    assert values.min() - 1e-9 <= interval.low <= interval.high <= values.max() + 1e-9
    assert mean_interval(values) == interval


def test_an_interval_has_the_width_that_theory_gives() -> None:
    values = np.random.default_rng(7).normal(0.5, 0.2, size=400)
    interval = mean_interval(values)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * 0.2 / 20, rel=0.15)


def test_an_interval_of_too_little_has_no_width() -> None:
    assert mean_interval(np.array([0.25])) == (0.25, 0.25, 0.25)
    assert all(math.isnan(value) for value in mean_interval(np.array([])))


def test_a_small_but_steady_difference_is_seen_only_in_pairs() -> None:
    draw = np.random.default_rng(3)
    before = draw.uniform(size=200)
    after = before + 0.02 + draw.normal(0, 0.01, size=200)
    difference = paired_difference(after, before)
    assert difference.low > 0
    assert mean_interval(after).low < mean_interval(before).high
    assert paired_difference(before, after).mean == pytest.approx(-difference.mean)


def test_different_questions_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="not paired"):
        paired_difference(np.zeros(3), np.zeros(4))
