import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.retrieval_evaluation.learning.abstention import (
    choose_threshold,
    fit_abstention,
    reliable_auroc,
)
from rag_assets.query.evidence.abstention import probability


def questions(count: int = 400) -> tuple[list[dict[str, float]], np.ndarray]:
    """Feature ``likeness`` tells, ``noise`` does not, ``constant`` cannot."""
    draw = np.random.default_rng(7)
    answerable = draw.random(count) < 0.6
    likeness = answerable + draw.normal(0, 0.6, count)
    noise = draw.normal(0, 5, count)
    rows = [
        {"likeness": float(a), "noise": float(b), "constant": 3.0}
        for a, b in zip(likeness, noise, strict=True)
    ]
    return rows, answerable


def test_it_learns_what_tells() -> None:
    rows, answerable = questions()
    model = fit_abstention(rows[:200], answerable[:200], 0.1)
    weight = dict(zip(model.features, model.coefficients, strict=True))
    assert weight["likeness"] > 3 * abs(weight["noise"])
    held_out = np.array([probability(model, row) for row in rows[200:]])
    labels = answerable[200:]
    assert held_out[labels].mean() > held_out[~labels].mean() + 0.3
    assert (held_out[labels] < model.threshold).mean() < 0.2


@pytest.mark.parametrize("balance", [0.0, 0.05, 0.1, 0.5])
def test_no_more_are_refused_than_allowed(balance: float) -> None:
    rows, answerable = questions()
    model = fit_abstention(rows, answerable, balance)
    values = np.array([probability(model, row) for row in rows])[answerable]
    refused = (values < model.threshold - 1e-9).mean()
    assert balance - 0.02 <= refused <= balance


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=30))
def test_no_threshold_has_a_better_balance(pairs: list[tuple[float, bool]]) -> None:
    values = np.array([value for value, _ in pairs])
    answerable = np.array([label for _, label in pairs])
    if answerable.all() or not answerable.any():
        return

    def accuracy(threshold: float) -> float:
        kept = values >= threshold
        return float(kept[answerable].mean() + (~kept)[~answerable].mean())

    chosen = accuracy(choose_threshold(values, answerable, None))
    assert all(accuracy(value) <= chosen + 1e-12 for value in values)


def test_one_kind_alone_teaches_nothing() -> None:
    rows, _ = questions(10)
    with pytest.raises(ValueError, match="unanswerable"):
        fit_abstention(rows, np.ones(10, dtype=bool), None)
    with pytest.raises(ValueError, match="questions"):
        fit_abstention(rows, np.ones(3, dtype=bool), None)


def test_what_cannot_be_told_apart_is_not_relied_on() -> None:
    rows, answerable = questions(200)
    assert reliable_auroc(rows, answerable) > 0.75
    noise = [{"noise": row["noise"]} for row in rows]
    assert reliable_auroc(noise, answerable) < 0.6
    few = [row for row, label in zip(rows, answerable, strict=True) if label][:20]
    few += [row for row, label in zip(rows, answerable, strict=True) if not label][:4]
    labels = np.array([True] * 20 + [False] * 4)
    # the same evidence from fewer questions is relied on less
    assert reliable_auroc(few, labels) < reliable_auroc(rows, answerable)
