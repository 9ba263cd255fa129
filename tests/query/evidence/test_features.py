import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_assets.encoders.compiled import CompiledEncoder
from rag_assets.query.evidence.abstention import probability
from rag_assets.query.evidence.features import features
from rag_assets.query.parameters import AbstentionModel
from tests.query.answerers.passages import TEXTS, make_passage

from .stand_in import HashedWords

HITS = [make_passage(number, text).hit for number, text in enumerate(TEXTS, start=1)]
MODEL = AbstentionModel(("a", "b"), (1.0, 0.0), (2.0, 1.0), (0.5, -1.0), 0.25, 0.5)


@settings(deadline=None)
@given(st.text(max_size=80), st.lists(st.text(max_size=80), max_size=3))
def test_every_feature_exists_for_every_question(question: str, texts: list[str]) -> None:
    words = HashedWords()
    vector = words.encode([question])[0]
    hits = [make_passage(number, text).hit for number, text in enumerate(texts, start=1)]
    found = features(question, vector, hits, words)
    assert found.keys() == features("Who?", vector, HITS, words).keys()
    assert all(math.isfinite(value) for value in found.values())


def test_an_answered_question_differs_from_an_unanswered_one(encoder: CompiledEncoder) -> None:
    def of(question: str) -> dict[str, float]:
        return features(question, encoder.encode([question])[0], HITS, encoder)

    answered, other = of("When are invoices paid?"), of("When was Berlin founded in 1237?")
    for name in ("score", "dense", "most_likeness", "best_coverage"):
        assert answered[name] >= other[name]
    assert answered["score"] > other["score"] + 1
    for name in ("missing_in_passage", "numbers_missing", "names_missing"):
        assert answered[name] < other[name]
    assert of("When are invoices not paid?")["negation_differs"] == 1.0


def test_probability_is_the_formula() -> None:
    expected = 1 / (1 + math.exp(-(0.25 + 0.5 * (3.0 - 1.0) / 2.0 - 1.0 * 0.5)))
    assert probability(MODEL, {"a": 3.0, "b": 0.5, "unused": 9.0}) == pytest.approx(expected)


def test_what_is_absent_or_not_a_number_counts_as_the_mean() -> None:
    plain = probability(MODEL, {"a": 1.0, "b": 0.0})
    assert probability(MODEL, {}) == probability(MODEL, {"a": math.nan, "b": math.inf}) == plain


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_probability_is_one_and_monotone(one: float, other: float) -> None:
    low, high = sorted((one, other))
    values = [probability(MODEL, {"a": value}) for value in (low, high) if np.isfinite(value)]
    assert all(0 <= value <= 1 for value in values)
    assert values == sorted(values)
