"""Overlap of rankings and of passages, against the definition and by its properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.replay.overlap import (
    Found,
    document_overlap,
    jaccard,
    passage_overlap,
    rank_biased_overlap,
    span_agreement,
)

ITEMS = st.lists(st.sampled_from("abcdefghijkl"), unique=True, max_size=10)
DEEP = 2000


def by_definition(first: list[str], second: list[str], p: float) -> float:
    """The infinite sum (1 - p) Σ p^(d-1) A_d, the agreement beyond the lists carried on.

    Beyond the shorter list its part of what is shared goes on at the rate it had there; beyond the
    longer one the agreement stays (Webber et al. 2010, section 4.3).
    """
    short, long = sorted((first, second), key=len)
    s, n = len(short), len(long)
    if not s:
        return float(not n)
    total = 0.0
    for depth in range(1, DEEP + 1):
        d = min(depth, n)
        shared = len(set(short[:d]) & set(long[:d])) + (
            len(set(short) & set(long[:s])) * (d - s) / s if d > s else 0.0
        )
        total += (1 - p) * p ** (depth - 1) * shared / d
    return total


@given(ITEMS, ITEMS, st.sampled_from([0.5, 0.8, 0.9, 0.98]))
def test_the_closed_form_is_the_sum(first: list[str], second: list[str], p: float) -> None:
    assert rank_biased_overlap(first, second, p) == pytest.approx(
        by_definition(first, second, p), abs=1e-9
    )


@given(ITEMS, ITEMS)
def test_symmetric_and_between_0_and_1(first: list[str], second: list[str]) -> None:
    overlap = rank_biased_overlap(first, second)
    assert overlap == pytest.approx(rank_biased_overlap(second, first))
    assert 0 <= overlap <= 1
    assert (overlap == 0) == (not set(first) & set(second) and bool(first or second))


@given(ITEMS)
def test_the_same_ranking_is_1(items: list[str]) -> None:
    assert rank_biased_overlap(items, items) == pytest.approx(1)


def test_by_hand() -> None:
    # A_1 = 1, A_2 = 1/2, A_3 = 1, and 1 from there on: 0.1 (1 + 0.45 + 0.81) + 0.729
    assert rank_biased_overlap("abc", "acb") == pytest.approx(0.955)
    assert rank_biased_overlap("ab", "ba") < rank_biased_overlap("abcd", "abdc")
    assert jaccard("abc", "bcd") == pytest.approx(0.5)
    assert jaccard("", "") == 1


def found(*hits: tuple[str, str, int, int]) -> Found:
    """What was found: document, version, start, end."""
    spans: dict[str, list[tuple[int, int]]] = {}
    for document, _, start, end in hits:
        spans.setdefault(document, []).append((start, end))
    return Found(tuple(spans), {hit[0]: hit[1] for hit in hits}, spans)


BEFORE = found(("a", "v1", 0, 100), ("b", "v1", 0, 100), ("a", "v1", 200, 300))


def test_other_passages_of_the_same_text_are_the_same() -> None:
    """A splitter that cuts in the middle finds the same text under other ids."""
    halves = found(
        ("a", "v1", 0, 50), ("a", "v1", 50, 100), ("b", "v1", 0, 100), ("a", "v1", 200, 300)
    )
    assert passage_overlap(halves, BEFORE, same_parser=True) == pytest.approx(1)


def test_little_of_the_text_is_little_overlap() -> None:
    shreds = found(("a", "v1", 0, 20), ("b", "v1", 0, 20))
    assert document_overlap(shreds, BEFORE) == pytest.approx(1)
    both = passage_overlap(shreds, BEFORE, same_parser=True)
    assert both == passage_overlap(BEFORE, shreds, same_parser=True)
    assert both < 0.2


@pytest.mark.parametrize(("version", "same_parser"), [("v2", True), ("v1", False)])
def test_spans_of_another_text_are_not_compared(version: str, *, same_parser: bool) -> None:
    edited = found(("a", version, 500, 600), ("b", "v1", 0, 100))
    assert passage_overlap(edited, BEFORE, same_parser=same_parser) == pytest.approx(1)


def test_a_renamed_document_is_the_same_document() -> None:
    renamed = found(("new", "v-a", 0, 100), ("b", "v-b", 0, 100))
    before = found(("old", "v-a", 0, 100), ("b", "v-b", 0, 100))
    assert document_overlap(renamed, before) < 1
    assert renamed.named_as(before) == before
    # a copy beside it is another document
    copies = found(("old", "v-a", 0, 100), ("new", "v-a", 0, 100), ("b", "v-b", 0, 100))
    assert copies.named_as(before) == copies
    both_new = found(("new", "v-a", 0, 100), ("newer", "v-a", 0, 100))
    assert both_new.named_as(before) == both_new


SPANS = st.lists(
    st.tuples(st.integers(0, 50), st.integers(1, 20)).map(lambda x: (x[0], x[0] + x[1])),
    max_size=6,
)


@given(SPANS, SPANS)
def test_agreement_is_the_jaccard_of_characters(
    first: list[tuple[int, int]], second: list[tuple[int, int]]
) -> None:
    mine = {at for start, end in first for at in range(start, end)}
    theirs = {at for start, end in second for at in range(start, end)}
    either = mine | theirs
    expected = len(mine & theirs) / len(either) if either else 1.0
    assert span_agreement(first, second) == pytest.approx(expected)
