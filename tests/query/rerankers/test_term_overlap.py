from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_assets.query.rerankers.base import Reranker
from rag_assets.query.rerankers.term_overlap import TermOverlapReranker
from rag_assets.query.rerankers.terms import terms

from .conformance import ContentConformance


class TestTermOverlap(ContentConformance):
    @pytest.fixture
    def reranker(self) -> Reranker:
        return TermOverlapReranker()


def score(question: str, texts: list[str]) -> list[float]:
    return TermOverlapReranker().score(question, texts).tolist()


def test_the_formula() -> None:
    common, rare = log(1 + 0.5 / 2.5), log(1 + 1.5 / 1.5)
    assert score("cat dog", ["cat", "the dog and the cat"]) == pytest.approx(
        [common / (common + rare), 1.0]
    )


def test_a_rare_term_counts_more_than_a_frequent_one() -> None:
    texts = ["server policy", "server", "server room", "the zebra", "server farm"]
    scores = score("server zebra", texts)
    assert scores[3] > max(scores[:3])


def test_no_term_in_common() -> None:
    assert score("zebra", ["cat", ""]) == [0.0, 0.0]
    assert score("?!", ["cat", ""]) == [0.0, 0.0]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("refunded", "REFUNDING"),
        ("Straße", "STRASSE"),
        ("ﬁling", "filing"),
        ("ＦＵＬＬ", "full"),
        ("caf\u00e9s", "cafe\u0301s"),
        ("fn load_rows()", "load-rows fn"),
    ],
)
def test_forms_of_a_word_are_one_term(left: str, right: str) -> None:
    assert terms(left) == terms(right)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("東京都", {"東京", "京都"}),
        ("漢 a", {"漢", "a"}),
        ("GPUを使う", {"gpu", "を使", "使う"}),
        ("ภาษา", {"ภา", "าษ", "ษา"}),
        ("हिन्दी।", {"हिन्दी"}),
        ("can't 42.5", {"can", "t", "42", "5"}),
        ("\ud800", set()),
    ],
)
def test_terms_of_a_script(text: str, expected: set[str]) -> None:
    assert terms(text) == expected


def test_scripts_without_spaces_are_found_inside_sentences() -> None:
    texts = ["彼は昨日大阪に行きました。", "返金ポリシーは三十日以内です。", "天気がいいですね。"]
    assert int(np.argmax(score("返金の期限は何日以内ですか", texts))) == 1


@settings(max_examples=50)
@given(st.text(max_size=30), st.text(max_size=30))
def test_terms_of_two_texts_are_those_of_both(left: str, right: str) -> None:
    assert terms(f"{left}\n{right}") == terms(left) | terms(right)


@settings(max_examples=50)
@given(st.text(max_size=30), st.lists(st.text(max_size=30), max_size=5))
def test_scores_are_shares(question: str, texts: list[str]) -> None:
    scores = score(question, [*texts, question])
    assert all(0 <= value <= 1 + 1e-9 for value in scores)
    assert scores[-1] == pytest.approx(1.0 if terms(question) else 0.0)
