"""Documents are ranked by their best passage, and the weight that is learned carries over."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.retrieval_evaluation.learning.fusion import (
    WEIGHTS,
    choose_weight,
    learn_fusion,
    rank_all,
    rank_documents,
)
from evals.retrieval_evaluation.metrics import score_rankings
from rag_assets.query.retrieval.candidates import Candidates

NAN = float("nan")
DEPTH = 30


def candidates(documents: list[str], dense: list[float], full_text: list[float]) -> Candidates:
    return Candidates(
        np.arange(len(documents), dtype=np.uint64),
        [f"chunk-{number:03}" for number in range(len(documents))],
        documents,
        np.array(dense, dtype=np.float64),
        np.array(full_text, dtype=np.float64),
    )


def questions_with(
    noise: tuple[float, float], number: int, seed: int
) -> tuple[dict[str, Candidates], dict[str, dict[str, int]]]:
    """Questions whose relevant document both legs see, each through its own noise."""
    draw = np.random.default_rng(seed)
    found, relevant = {}, {}
    for question in range(number):
        names = [f"docs/{item}" for item in draw.permutation(DEPTH)]
        truth = np.zeros(DEPTH)
        truth[draw.integers(DEPTH)] = 1.0
        dense, full_text = (truth + draw.normal(0, scale, DEPTH) for scale in noise)
        found[f"q{question}"] = candidates(names, dense.tolist(), full_text.tolist())
        relevant[f"q{question}"] = {names[int(truth.argmax())]: 1}
    return found, relevant


def test_a_document_is_as_good_as_its_best_passage() -> None:
    found = candidates(["docs/b", "docs/a", "docs/b"], [0.1, 0.5, 0.9], [NAN] * 3)
    assert rank_documents(found, found.dense, 10) == ["docs/b", "docs/a"]
    assert rank_documents(found, found.dense, 1) == ["docs/b"]


def test_equal_documents_are_ranked_by_name_and_nothing_gives_nothing() -> None:
    found = candidates(["docs/c", "docs/a", "docs/b"], [0.5] * 3, [NAN] * 3)
    assert rank_documents(found, found.dense, 10) == ["docs/a", "docs/b", "docs/c"]
    assert rank_documents(candidates([], [], []), np.array([]), 10) == []


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 4)), min_size=1),
    st.randoms(use_true_random=False),
)
def test_the_order_of_the_candidates_does_not_matter(rows: list, shuffler) -> None:  # type: ignore[no-untyped-def,type-arg]
    mixed = list(rows)
    shuffler.shuffle(mixed)
    rankings = []
    for some in (rows, mixed):
        documents, scores = zip(*some, strict=True)
        found = candidates(list(documents), list(scores), [NAN] * len(some))
        rankings.append(rank_documents(found, found.dense, 10))
    best = {document: max(s for d, s in rows if d == document) for document, _ in rows}
    assert rankings[0] == rankings[1] == sorted(best, key=lambda item: (-best[item], item))


def test_two_legs_of_the_same_quality_are_fused_and_carry_over_to_other_questions() -> None:
    found, relevant = questions_with((0.4, 0.4), 150, seed=1)
    learned = learn_fusion(found, relevant)
    assert 0.3 <= learned.weight <= 0.7
    assert learned.questions == 150
    assert learned.value == pytest.approx(learned.curve[WEIGHTS.index(learned.weight)])
    others, their_relevant = questions_with((0.4, 0.4), 150, seed=2)
    means = [
        score_rankings(rank_all(others, "weighted", weight, 10), their_relevant, ["ndcg@10"])[
            "ndcg@10"
        ].mean()
        for weight in (0.0, learned.weight, 1.0)
    ]
    assert means[1] > max(means[0], means[2])


@pytest.mark.parametrize(("noise", "leg"), [((0.05, 9.0), 1.0), ((9.0, 0.05), 0.0)])
def test_a_leg_that_knows_nothing_gets_little_weight(
    noise: tuple[float, float], leg: float
) -> None:
    found, relevant = questions_with(noise, 60, seed=3)
    learned = learn_fusion(found, relevant)
    assert abs(learned.weight - leg) <= 0.5
    assert learned.value >= max(learned.curve[0], learned.curve[-1])


def test_only_questions_with_judgements_are_learned_from() -> None:
    found, relevant = questions_with((0.4, 0.4), 30, seed=4)
    few = {question: relevant[question] for question in list(relevant)[:25]}
    assert learn_fusion(found, few).questions == 25
    with pytest.raises(ValueError, match="nothing to learn"):
        learn_fusion(found, {})


def values_of(curve: list[float], noise: float, questions: int = 50) -> np.ndarray:
    """Per-question values around a curve of means, every weight with its own noise."""
    draws = np.random.default_rng(5).normal(0, noise, (len(WEIGHTS), questions))
    return np.array(curve)[:, None] + draws - draws.mean(axis=1, keepdims=True)


def test_a_lone_spike_does_not_win_against_the_shape_of_the_curve() -> None:
    curve = [0.8 - 0.4 * (weight - 0.35) ** 2 for weight in WEIGHTS]
    curve[18] = max(curve) + 0.01
    assert WEIGHTS[choose_weight(values_of(curve, 0.001))] == pytest.approx(0.35, abs=0.1)


@pytest.mark.parametrize(("better", "weight"), [(-1, 1.0), (0, 0.0)])
def test_a_gain_within_chance_falls_back_to_the_better_leg(better: int, weight: float) -> None:
    curve = [0.8 - 0.0004 * (item - 0.5) ** 2 for item in WEIGHTS]
    curve[better] += 0.00005
    assert WEIGHTS[choose_weight(values_of(curve, 0.3))] == weight
    assert 0.25 <= WEIGHTS[choose_weight(values_of(curve, 0.0))] <= 0.75


def test_nothing_to_tell_the_weights_apart_gives_a_single_leg() -> None:
    assert WEIGHTS[choose_weight(np.ones((len(WEIGHTS), 20)))] in (0.0, 1.0)
    assert WEIGHTS[choose_weight(np.ones((len(WEIGHTS), 1)))] in (0.0, 1.0)


def test_a_weight_in_use_stays_where_another_is_hardly_better() -> None:
    found, relevant = questions_with((0.4, 0.4), 60, seed=3)
    assert learn_fusion(found, relevant).weight == 0.45
    assert learn_fusion(found, relevant, incumbent=0.5).weight == 0.5


def test_a_weight_in_use_gives_way_to_one_that_is_clearly_better() -> None:
    found, relevant = questions_with((0.1, 5.0), 200, seed=4)
    learned = learn_fusion(found, relevant)
    assert learn_fusion(found, relevant, incumbent=0.0).weight == learned.weight > 0.5
