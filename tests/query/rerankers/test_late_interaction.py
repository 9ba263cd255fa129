from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_assets.encoders import Encoder, make_encoder
from rag_assets.platform.errors import RerankerError
from rag_assets.platform.settings import EncoderSettings
from rag_assets.query.rerankers.base import Reranker
from rag_assets.query.rerankers.late_interaction import LateInteractionReranker, max_similarity
from rag_assets.query.rerankers.token_cache import ENTRY_BYTES, TokenVectorCache

from .conformance import QUESTION, TEXTS, ModelConformance


class TestLateInteraction(ModelConformance):
    score_range = 2.0

    @pytest.fixture
    def reranker(self, encoder: Encoder) -> Reranker:
        return LateInteractionReranker(encoder, cache_bytes=0)


class TestLateInteractionWithItsCache(ModelConformance):
    score_range = 2.0

    @pytest.fixture(scope="class")
    def reranker(self, encoder: Encoder) -> Reranker:
        return LateInteractionReranker(encoder)


class Counting:
    """An encoder that notes which texts it was asked for."""

    name = "counting"

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.asked: list[str] = []

    def token_vectors(self, texts: Sequence[str]) -> list[np.ndarray]:
        self.asked += texts
        return self._encoder.token_vectors(texts)


def test_the_formula() -> None:
    question = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)
    text = np.array([[1, 0], [-0.6, 0.8]], dtype=np.float16)
    assert max_similarity(question, text) == pytest.approx((1 + 0.8 + 0.6) / 3, abs=1e-3)
    assert max_similarity(question, text[:0]) == -1.0
    assert max_similarity(question[:0], text) == 0.0


def test_scores_are_those_of_every_pair_of_tokens(encoder: Encoder) -> None:
    asked, *read = encoder.token_vectors([QUESTION, TEXTS[0], TEXTS[1]])
    expected = [
        sum(max(float(token @ other) for other in text) for token in asked) / len(asked)
        for text in read
    ]
    scores = LateInteractionReranker(encoder).score(QUESTION, TEXTS[:2])
    np.testing.assert_allclose(scores, expected, atol=2e-3)


def test_meaning_without_a_common_word(encoder: Encoder) -> None:
    texts = ["The automobile was repaired.", "Photosynthesis in plants.", "Interest rates rose."]
    scores = LateInteractionReranker(encoder).score("who fixed the car", texts)
    assert int(np.argmax(scores)) == 0


def test_a_text_is_encoded_once(encoder: Encoder) -> None:
    counting = Counting(encoder)
    reranker = LateInteractionReranker(counting)  # type: ignore[arg-type]
    first = reranker.score(QUESTION, [*TEXTS, TEXTS[0]])
    assert counting.asked == [QUESTION, *TEXTS]
    counting.asked.clear()
    again = reranker.score(QUESTION, [TEXTS[0], "something new"])
    assert counting.asked == [QUESTION, "something new"]
    assert again[0] == first[0] == first[4]


def test_without_memory_nothing_is_kept(encoder: Encoder) -> None:
    counting = Counting(encoder)
    reranker = LateInteractionReranker(counting, cache_bytes=0)  # type: ignore[arg-type]
    np.testing.assert_allclose(
        reranker.score(QUESTION, TEXTS), reranker.score(QUESTION, TEXTS), atol=1e-6
    )
    assert counting.asked == [QUESTION, *TEXTS] * 2


def test_an_encoder_without_token_vectors(tmp_path: Path) -> None:
    settings = EncoderSettings(backend="openai", base_url="http://127.0.0.1:1/v1")
    reranker = LateInteractionReranker(make_encoder(settings, tmp_path))
    for use in (reranker.warm_up, lambda: reranker.score(QUESTION, TEXTS)):
        with pytest.raises(RerankerError, match="no token vectors") as caught:
            use()
        assert "query.reranker" in caught.value.hint


@settings(max_examples=100)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 300)), max_size=30))
def test_the_cache_stays_within_its_bytes(puts: list[tuple[str, int]]) -> None:
    most = 100 + 3 * ENTRY_BYTES
    cache = TokenVectorCache(most)
    last: dict[str, np.ndarray] = {}
    for text, length in puts:
        last[text] = np.full(length, length, dtype=np.float32)
        cache.put(text, last[text])
        kept = {key: cache.get(key) for key in "abcdef"}
        assert all(array is None or array is last[key] for key, array in kept.items())
        sizes = [array.nbytes + ENTRY_BYTES for array in kept.values() if array is not None]
        assert cache.size_bytes == sum(sizes) <= most
        assert kept[text] is (None if 4 * length + ENTRY_BYTES > most else last[text])


def test_the_least_recently_used_goes_first() -> None:
    cache = TokenVectorCache(2 * (40 + ENTRY_BYTES))
    for text in "ab":
        cache.put(text, np.zeros(10, dtype=np.float32))
    assert cache.get("a") is not None
    cache.put("c", np.zeros(10, dtype=np.float32))
    assert [cache.get(text) is not None for text in "abc"] == [True, False, True]
