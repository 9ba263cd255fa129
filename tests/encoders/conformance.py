"""What every encoder must do; inherit ``EncoderConformance`` and give it an ``encoder`` fixture."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag_assets.encoders import Encoder

WORDS = [
    *("river", "invoice", "holiday", "Störung", "größer", "漢字", "backup", "policy"),
    *("42", "the", "of", "and", "🙂", "naïve"),
]
# the encoder has no state that one example could leave to the next; subclasses share the test
SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]
TEXTS = st.lists(
    st.one_of(
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=40).map(" ".join),
        st.text(max_size=20),
    ),
    min_size=1,
    max_size=12,
)
ODD = [
    *("", " \n\t", "🙂🙃\U0001f469\u200d\U0001f467", "漢字とかな", "a\x00b"),
    *("lone \ud800 surrogate", "\ufffe", "x" * 5000),
]


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The cosine of each pair of unit rows."""
    return (left * right).sum(axis=1)


class EncoderConformance:
    """Inherited by the test class of every back end."""

    def test_shape_and_type(self, encoder: Encoder) -> None:
        vectors = encoder.encode(["one text", "another"])
        assert vectors.shape == (2, encoder.dimensions)
        assert vectors.dtype == np.float32
        assert vectors.flags.c_contiguous

    def test_no_texts(self, encoder: Encoder) -> None:
        vectors = encoder.encode([])
        assert vectors.shape == (0, encoder.dimensions)
        assert vectors.dtype == np.float32

    def test_odd_texts_give_finite_unit_vectors(self, encoder: Encoder) -> None:
        vectors = encoder.encode(ODD)
        assert np.isfinite(vectors).all()
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-3)

    def test_order_does_not_depend_on_length(self, encoder: Encoder) -> None:
        texts = [" ".join(WORDS[i % 7 :] * (1 + (i * 7) % 5)) for i in range(20)]
        together = encoder.encode(texts)
        alone = np.concatenate([encoder.encode([text]) for text in texts])
        assert cosines(together, alone).min() > 0.999

    @settings(max_examples=15, deadline=None, suppress_health_check=SHARED)
    @given(texts=TEXTS, data=st.data())
    def test_batching_does_not_matter(
        self, encoder: Encoder, texts: list[str], data: st.DataObject
    ) -> None:
        whole = encoder.encode(texts)
        order = data.draw(st.permutations(range(len(texts))))
        cut = data.draw(st.integers(0, len(texts)))
        parts = np.concatenate(
            [encoder.encode([texts[i] for i in part]) for part in (order[:cut], order[cut:])]
        )
        assert cosines(whole[list(order)], parts).min() > 0.999

    def test_meaning(self, encoder: Encoder) -> None:
        dog, puppy, tax = encoder.encode(
            ["A dog runs in the park.", "The puppy plays outside.", "Taxes are due in April."]
        )
        assert dog @ puppy > dog @ tax + 0.1

    def test_long_text_is_truncated(self, encoder: Encoder) -> None:
        head = "The quarterly report lists revenue by region. " * 200
        vectors = encoder.encode([head, head + "Elephants. " * 60_000])
        assert cosines(vectors[:1], vectors[1:]).min() > 0.999

    def test_threads(self, encoder: Encoder) -> None:
        texts = [f"text number {i} about {WORDS[i % len(WORDS)]}" for i in range(24)]
        expected = encoder.encode(texts)
        with ThreadPoolExecutor(8) as pool:
            bulk = [pool.submit(encoder.encode, texts) for _ in range(4)]
            alone = list(pool.map(lambda text: encoder.encode([text])[0], texts))
        for future in bulk:
            assert cosines(future.result(), expected).min() > 0.999
        assert cosines(np.array(alone), expected).min() > 0.999

    def test_progress_counts_every_text_once(self, encoder: Encoder) -> None:
        for count in (0, 1, 40):
            seen: list[int] = []
            encoder.encode(["some text"] * count, seen.append)
            assert sum(seen) == count

    def test_facts(self, encoder: Encoder) -> None:
        facts = encoder.describe()
        assert facts["fingerprint"] == encoder.fingerprint
        assert len(encoder.fingerprint) == 64
        assert {"backend", "model", "device", "precision", "max_tokens"} <= set(facts)
        assert encoder.max_tokens > encoder.tokenizer.special_tokens


class TokenVectorConformance:
    """Inherited as well by the test class of every back end that has token vectors."""

    def test_one_unit_vector_a_token(self, encoder: Encoder) -> None:
        texts = [*ODD, "one two three", "The Störung of the größer policy, 42!"]
        found = encoder.token_vectors(texts)
        limit = encoder.max_tokens - encoder.tokenizer.special_tokens
        for text, vectors in zip(texts, found, strict=True):
            tokens = min(encoder.tokenizer.count(text), limit)
            assert vectors.shape == (tokens, encoder.dimensions)
            assert vectors.dtype == np.float32
            assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-3)

    def test_no_texts_no_vectors(self, encoder: Encoder) -> None:
        assert encoder.token_vectors([]) == []

    def test_long_text_keeps_its_first_tokens(self, encoder: Encoder) -> None:
        limit = encoder.max_tokens - encoder.tokenizer.special_tokens
        head = "river " * limit
        kept, longer = encoder.token_vectors([head, head + "Elephants. " * 60_000])
        assert len(kept) == len(longer) == limit
        assert cosines(kept, longer).min() > 0.99

    def test_a_token_depends_on_its_context(self, encoder: Encoder) -> None:
        money, water = encoder.token_vectors(["bank robbery", "bank of the river"])
        assert money[0] @ water[0] < 0.95

    def test_tokens_are_in_order(self, encoder: Encoder) -> None:
        text, words = encoder.token_vectors(["dog tax river", "dog"])
        assert int(np.argmax(text @ words[0])) == 0

    @settings(max_examples=10, deadline=None, suppress_health_check=SHARED)
    @given(texts=TEXTS, data=st.data())
    def test_batching_does_not_matter_for_tokens(
        self, encoder: Encoder, texts: list[str], data: st.DataObject
    ) -> None:
        order = data.draw(st.permutations(range(len(texts))))
        whole = encoder.token_vectors(texts)
        again = encoder.token_vectors([texts[index] for index in order])
        for index, vectors in zip(order, again, strict=True):
            assert vectors.shape == whole[index].shape
            # single tokens of nonsense vary more than whole texts do
            assert not len(vectors) or cosines(vectors, whole[index]).min() > 0.99

    def test_threads_share_it_for_tokens(self, encoder: Encoder) -> None:
        texts = [f"text number {i} about {WORDS[i % len(WORDS)]}" for i in range(40)]
        expected = encoder.token_vectors(texts)
        with ThreadPoolExecutor(6) as pool:
            runs = [pool.submit(encoder.token_vectors, texts) for _ in range(3)]
            pooled = [pool.submit(encoder.encode, texts) for _ in range(3)]
        for run in runs:
            for left, right in zip(run.result(), expected, strict=True):
                assert cosines(left, right).min() > 0.99
        for one in pooled:
            assert cosines(one.result(), encoder.encode(texts)).min() > 0.999
