"""What every reranker must do; inherit ``RerankerConformance``, give it a ``reranker`` fixture."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag_assets.query.rerankers.base import Reranker

QUESTION = "What does the refund policy say about damaged books?"
TEXTS = [
    "The refund policy: damaged books are refunded in full within thirty days.",
    "Volcanoes of Iceland erupt every few years.",
    "",
    "Our policy for parking spaces near the office.",
]
HOSTILE = [
    *("", " \n\t\r", "\x00", "lone \ud800 surrogate \udfff", "\ufffe\uffff", "[SEP] [CLS] [PAD]"),
    *("\u6f22\u5b57\u3068\u304b\u306a\u4ea4\u3058\u308a\u6587", "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22"),
    *("हिन्दी में लिखा हुआ", "مرحبا بالعالم", "🙂🙃👩‍👧", "a\u0301" * 50, "x" * 5000),
    *("word " * 20_000, "漢" * 35_000, "()" * 50_000),
]  # fmt: skip
WORDS = [
    "refund",
    "policy",
    "damaged",
    "books",
    "volcano",
    "Störung",
    "漢字",
    "42",
    "the",
    "of",
    "🙂",
]
SOME_TEXTS = st.lists(
    st.one_of(
        st.lists(st.sampled_from(WORDS), max_size=15).map(" ".join),
        st.text(alphabet=st.characters(), max_size=15),  # surrogates among them
    ),
    max_size=8,
)
SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]


class RerankerConformance:
    """Inherited by the test class of every reranker.

    Attributes:
        score_range: from the worst to the best passage, about; what agreement is measured in.
    """

    score_range = 1.0

    def close(self, left: np.ndarray, right: np.ndarray) -> None:
        np.testing.assert_allclose(left, right, atol=1e-3 * self.score_range, rtol=0)

    def test_shape_and_type(self, reranker: Reranker) -> None:
        for texts in (TEXTS, tuple(TEXTS), TEXTS[:1], []):
            scores = reranker.score(QUESTION, texts)
            assert scores.shape == (len(texts),)
            assert scores.dtype == np.float64

    def test_hostile_texts(self, reranker: Reranker) -> None:
        assert np.isfinite(reranker.score(QUESTION, HOSTILE)).all()

    @pytest.mark.parametrize("question", HOSTILE, ids=range(len(HOSTILE)))
    def test_hostile_questions(self, reranker: Reranker, question: str) -> None:
        scores = reranker.score(question, TEXTS)
        assert scores.shape == (len(TEXTS),)
        assert np.isfinite(scores).all()

    def test_the_same_question_again(self, reranker: Reranker) -> None:
        self.close(reranker.score(QUESTION, TEXTS), reranker.score(QUESTION, TEXTS))

    def test_threads(self, reranker: Reranker) -> None:
        lists = [[f"{word} policy {i}" for word in WORDS] for i in range(12)]
        expected = [reranker.score(QUESTION, texts) for texts in lists]
        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(lambda texts: reranker.score(QUESTION, texts), lists * 2))
        for scores, wanted in zip(found, expected * 2, strict=True):
            self.close(scores, wanted)

    def test_facts(self, reranker: Reranker) -> None:
        reranker.warm_up()
        assert reranker.describe()["reranker"] == reranker.name


class ContentConformance(RerankerConformance):
    """Inherited by those that look at the texts, not at their positions."""

    @settings(max_examples=20, deadline=None, suppress_health_check=SHARED)
    @given(texts=SOME_TEXTS, data=st.data())
    def test_order_does_not_matter(
        self, reranker: Reranker, texts: list[str], data: st.DataObject
    ) -> None:
        order = data.draw(st.permutations(range(len(texts))))
        again = reranker.score(QUESTION, [texts[index] for index in order])
        self.close(again, reranker.score(QUESTION, texts)[list(order)])

    def test_equal_texts_score_alike(self, reranker: Reranker) -> None:
        scores = reranker.score(QUESTION, [*TEXTS, *TEXTS])
        self.close(scores[: len(TEXTS)], scores[len(TEXTS) :])

    def test_the_text_that_answers_is_first(self, reranker: Reranker) -> None:
        for place in range(len(TEXTS)):
            texts = TEXTS[1 : place + 1] + TEXTS[:1] + TEXTS[place + 1 :]
            assert int(np.argmax(reranker.score(QUESTION, texts))) == place

    def test_an_empty_text_is_worse_than_the_answer(self, reranker: Reranker) -> None:
        answer, _, empty, _ = reranker.score(QUESTION, TEXTS)
        assert empty < answer - 0.1 * self.score_range


class ModelConformance(ContentConformance):
    """Inherited by those whose score of a text does not depend on the other texts."""

    @settings(max_examples=10, deadline=None, suppress_health_check=SHARED)
    @given(texts=SOME_TEXTS, others=SOME_TEXTS)
    def test_company_does_not_matter(
        self, reranker: Reranker, texts: list[str], others: list[str]
    ) -> None:
        scores = reranker.score(QUESTION, [*others, *texts])[len(others) :]
        self.close(scores, reranker.score(QUESTION, texts))

    def test_many_texts(self, reranker: Reranker) -> None:
        texts = [f"{' '.join(WORDS[i % 7 :])} {i}" for i in range(200)]
        self.close(reranker.score(QUESTION, texts)[150:], reranker.score(QUESTION, texts[150:]))
