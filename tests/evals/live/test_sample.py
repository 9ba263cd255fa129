"""The sample of a day: fair, small enough, and the same whenever it is drawn."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from evals.live.days import day_of, elapsed_share, window_of
from evals.live.query_log import answered
from evals.live.sample import sampled
from rag_assets.query.log import AnswerRecord

from .records import DAY, at, record, records


@given(records(), st.integers(0, 40), st.floats(0, 1))
def test_it_is_a_small_part_of_what_was_answered(
    day: list[AnswerRecord], size: int, elapsed: float
) -> None:
    sample = sampled(day, size, elapsed)
    assert all(answered(item) for item in sample)
    assert len(sample) <= size
    assert len({item.answer_id for item in sample}) == len(sample)
    full = sampled(day, size)
    assert len(full) == min(size, sum(map(answered, day)))
    # a part of the day's sample is the beginning of it: what was judged early stays judged
    assert sample == full[: len(sample)]
    assert sampled(list(reversed(day)), size, elapsed) == sample


@given(records(), st.integers(1, 40))
def test_an_answer_more_changes_at_most_one_place(day: list[AnswerRecord], size: int) -> None:
    before = {item.answer_id for item in sampled(day, size)}
    after = {item.answer_id for item in sampled([*day, record("one more")], size)}
    assert len(before - after) <= 1
    assert after - before <= {"one more"}


def test_every_answer_has_the_same_chance() -> None:
    hours = Counter[int]()
    for number in range(400):
        day = [record(f"{number}-{hour}", hour) for hour in range(24)]
        hours.update(item.asked_at.hour for item in sampled(day, 6))
    # 2,400 draws over 24 hours: 100 expected in each, standard deviation below 10
    assert all(55 < hours[hour] < 145 for hour in range(24)), hours


def test_what_was_judged_by_noon_mostly_stays() -> None:
    day = [record(f"answer-{number}", number / 100) for number in range(2400)]
    noon = [item for item in day if item.asked_at < at(12)]
    judged = {item.answer_id for item in sampled(noon, 100, 0.5)}
    assert len(judged) == 50
    kept = judged & {item.answer_id for item in sampled(day, 100)}
    assert len(kept) > 40


def test_days_are_of_utc() -> None:
    assert day_of(datetime(2026, 3, 14, 23, 59)) == DAY
    assert day_of(datetime.fromisoformat("2026-03-15T00:30:00+01:00")) == DAY
    start, end = window_of(DAY)
    assert start == datetime(2026, 3, 14, tzinfo=UTC)
    assert end - start == timedelta(days=1)


def test_how_much_of_a_day_is_over() -> None:
    assert elapsed_share(DAY, at(6)) == 0.25
    assert elapsed_share(DAY, at(30)) == 1.0
    assert elapsed_share(DAY, at(-1)) == 0.0
