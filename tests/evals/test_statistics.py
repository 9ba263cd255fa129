"""Intervals of differences where several questions are about the same thing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.statistics import paired_difference

VALUES = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=2, max_size=30)


@settings(deadline=None)
@given(VALUES, st.integers(2, 5))
def test_asking_the_same_again_and_again_is_no_more_certain(
    values: list[float], times: int
) -> None:
    names = [f"document {number:02d}" for number in range(len(values))]
    once = paired_difference(np.array(values), np.zeros(len(values)), clusters=names)

    repeated = np.repeat(values, times)
    found = paired_difference(repeated, np.zeros(len(repeated)), clusters=np.repeat(names, times))

    assert found == pytest.approx(once, abs=1e-12)


@settings(deadline=None)
@given(VALUES, st.randoms())
def test_the_order_of_the_questions_does_not_matter(values: list[float], random: object) -> None:
    names = [f"document {number // 3}" for number in range(len(values))]
    order = list(range(len(values)))
    random.shuffle(order)  # type: ignore[attr-defined]
    zeros = np.zeros(len(values))

    found = paired_difference(
        np.array(values)[order], zeros, clusters=[names[index] for index in order]
    )

    assert found == pytest.approx(
        paired_difference(np.array(values), zeros, clusters=names), abs=1e-12
    )


def test_one_document_that_is_missed_five_times_is_within_chance() -> None:
    names = [f"document {number // 5}" for number in range(60)]
    lost = np.where(np.arange(60) < 5, -1.0, 0.0)

    alone = paired_difference(lost, np.zeros(60))
    together = paired_difference(lost, np.zeros(60), clusters=names)

    assert alone.mean == together.mean
    assert alone.high < 0
    assert together.high == 0


def test_two_clusters_without_any_spread_give_an_interval_of_no_width() -> None:
    found = paired_difference(np.full(4, 0.5), np.zeros(4), clusters=["a", "a", "b", "b"])
    assert found == (0.5, 0.5, 0.5)


def test_questions_that_are_all_about_one_document_say_nothing_of_others() -> None:
    found = paired_difference(np.array([-1.0, 0.0]), np.zeros(2), clusters=["a", "a"])
    assert found == (-0.5, -0.5, -0.5)
