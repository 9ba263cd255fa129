"""Chunk quality follows the published definitions."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.retrieval_evaluation.chunk_quality import chunk_quality, covered_share
from evals.spans import Span, intersections, union_length

SPANS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda item: (item[0], sum(item))),
    min_size=1,
    max_size=6,
)


def letters(spans: list[Span]) -> set[int]:
    return {position for start, end in spans for position in range(start, end)}


def test_one_passage_that_holds_all_evidence_and_as_much_else() -> None:
    quality = chunk_quality([(10, 20)], [(5, 25)], [(0, 5), (5, 25), (25, 40)])
    assert quality == pytest.approx((1.0, 0.5, 0.5, 0.5))


def test_half_of_the_evidence_is_missed() -> None:
    # evidence 10–30; retrieved 20–40 and 20 characters of another text
    quality = chunk_quality([(10, 30)], [(20, 40)], [(0, 20), (20, 40)], elsewhere=20)
    assert quality.recall == pytest.approx(10 / 20)
    assert quality.precision == pytest.approx(10 / 40)
    assert quality.precision_omega == pytest.approx(20 / 40)
    assert quality.iou == pytest.approx(10 / (40 + 10))


def test_overlapping_passages_pay_for_their_overlap() -> None:
    apart = chunk_quality([(0, 10)], [(0, 10)], [(0, 10)])
    twice = chunk_quality([(0, 10)], [(0, 10), (0, 10)], [(0, 10)])
    assert apart.iou == 1.0
    assert twice.recall == 1.0
    assert twice.iou == twice.precision == pytest.approx(0.5)


def test_evidence_that_no_passage_holds_lowers_omega() -> None:
    quality = chunk_quality([(0, 10), (90, 100)], [(0, 10)], [(0, 10), (10, 90)])
    assert quality.precision_omega == pytest.approx(10 / (10 + 10))


def test_nothing_retrieved_scores_nothing() -> None:
    assert chunk_quality([(0, 10)], [], [(0, 10)]) == pytest.approx((0.0, 0.0, 1.0, 0.0))


def test_a_question_without_evidence_is_refused() -> None:
    with pytest.raises(ValueError, match="without evidence"):
        chunk_quality([], [(0, 10)], [(0, 10)])


@settings(deadline=None)
@given(SPANS)
def test_union_length_counts_every_character_once(spans: list[Span]) -> None:
    assert union_length(spans) == len(letters(spans))


@settings(deadline=None)
@given(SPANS, SPANS)
def test_intersections_are_the_common_characters(
    evidence: list[Span], passages: list[Span]
) -> None:
    assert letters(intersections(evidence, passages)) == letters(evidence) & letters(passages)


@settings(deadline=None)
@given(SPANS, SPANS, st.integers(0, 50))
def test_scores_agree_with_sets_of_characters(
    evidence: list[Span], passages: list[Span], elsewhere: int
) -> None:
    retrieved = passages[::2]
    quality = chunk_quality(evidence, retrieved, passages, elsewhere)
    wanted, found = letters(evidence), letters(evidence) & letters(retrieved)
    text = elsewhere + sum(end - start for start, end in retrieved)
    assert quality.recall == pytest.approx(len(found) / len(wanted))
    assert quality.precision == pytest.approx(len(found) / text)
    assert quality.iou == pytest.approx(len(found) / (text + len(wanted - found)))
    assert all(0 <= value <= 1 for value in quality)
    assert quality.iou <= min(quality.recall, quality.precision) + 1e-12


@settings(deadline=None)
@given(SPANS, SPANS, SPANS)
def test_more_passages_never_lower_recall(
    evidence: list[Span], some: list[Span], more: list[Span]
) -> None:
    assert covered_share(evidence, some + more) >= covered_share(evidence, some)
