"""Token F1 and ROUGE-L agree with literal, slow transcriptions of their definitions."""

import re
import string
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evals.answer_evaluation.overlap import RougeL, normalized_tokens, token_f1

VOCABULARY = [
    "the",
    "a",
    "an",
    "Oil",
    "oil",
    "tank",
    "31",
    "March,",
    "-",
    "B.C.",
    "an-other",
    "Über",
]
TEXTS = st.lists(st.sampled_from(VOCABULARY), max_size=8).map(" ".join)
ASCII = st.text(st.sampled_from(string.ascii_letters + "  01.,-'\n"), max_size=40)


def squad_f1(answer: str, reference: str) -> float:
    """The rules of the evaluation of SQuAD 2.0, one after the other."""

    def tokens(text: str) -> list[str]:
        lowered = text.lower()
        unpunctuated = "".join("" if c in string.punctuation else c for c in lowered)
        bare = re.sub(r"\b(?:the|an|a)\b", " ", unpunctuated)
        return [token for token in re.split(r"\s+", bare) if token]

    gold, left = tokens(reference), tokens(answer)
    if not gold or not left:
        return 1.0 if gold == left else 0.0
    length, same = len(left), 0
    for token in gold:
        if token in left:
            left.remove(token)
            same += 1
    if same == 0:
        return 0.0
    precision, recall = same / length, same / len(gold)
    return 2.0 * precision * recall / (precision + recall)


def lcs_f(answer: str, reference: str) -> float:
    """F-measure of the longest common subsequence, by its recursive definition."""
    left, right = (re.findall(r"[^\W_]+", text.lower()) for text in (answer, reference))

    @cache
    def longest(i: int, j: int) -> int:
        if i == len(left) or j == len(right):
            return 0
        if left[i] == right[j]:
            return 1 + longest(i + 1, j + 1)
        return max(longest(i + 1, j), longest(i, j + 1))

    if not left or not right or not longest(0, 0):
        return 0.0
    precision, recall = longest(0, 0) / len(left), longest(0, 0) / len(right)
    return 2 * precision * recall / (precision + recall)


@given(TEXTS, TEXTS)
@example("", "")
@example("the", "")
@example("The oil; the OIL!", "oil oil oil")
def test_token_f1_follows_the_rules_of_squad(answer: str, reference: str) -> None:
    assert token_f1(answer, reference) == pytest.approx(squad_f1(answer, reference), abs=1e-6)


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("Up to five days, to be taken by 31 March.", "five days", 1 / 3),
        ("The Beatles", "beatles!", 1.0),
        ("Anna", "an apple", 0.0),
        ("days days", "days", 2 / 3),
        ("", "five days", 0.0),
    ],
)
def test_token_f1_of_cases_made_by_hand(answer: str, reference: str, expected: float) -> None:
    assert token_f1(answer, reference) == pytest.approx(expected, abs=1e-6)


def test_an_article_is_left_out_only_as_a_whole_word() -> None:
    assert normalized_tokens("The theatre, a banana & an anvil.") == ["theatre", "banana", "anvil"]


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_rouge_l_is_the_longest_common_subsequence(answer: str, reference: str) -> None:
    assert RougeL()(answer, reference) == pytest.approx(lcs_f(answer, reference), abs=1e-6)


@settings(deadline=None)
@given(ASCII, ASCII)
def test_rouge_l_of_ascii_is_that_of_the_library_as_it_is(answer: str, reference: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    own = RougeScorer(["rougeL"]).score(reference, answer)["rougeL"].fmeasure
    assert RougeL()(answer, reference) == pytest.approx(own, abs=1e-6)


def test_rouge_l_reads_every_script_and_minds_the_order() -> None:
    rouge_l = RougeL()
    assert rouge_l("Η άδεια λήγει", "η άδεια λήγει αύριο") == pytest.approx(6 / 7)
    assert rouge_l("days five", "five days") == pytest.approx(0.5)
    assert rouge_l("", "five days") == 0.0
