"""A tick looks again until it finds something, and is over before the daemon comes round again."""

from collections.abc import Callable

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_jobs.sensors.looking import LAST_LOOK_SECONDS, look_repeatedly

NOTHING = dg.SensorResult(skip_reason="nothing has changed")
FOUND = dg.SensorResult(run_requests=[dg.RunRequest(run_key="one")])
DAEMON_SECONDS = 5.0


class Clock:
    """Time that passes only when somebody works or sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


def looks(
    clock: Clock, cost: float, answers: Callable[[int], dg.SensorResult]
) -> tuple[Callable[[], dg.SensorResult], list[float]]:
    """A look that takes ``cost`` seconds, and the moments at which it was called."""
    moments: list[float] = []

    def look() -> dg.SensorResult:
        moments.append(clock.now)
        clock.now += cost
        return answers(len(moments))

    return look, moments


def test_it_looks_every_second_while_nothing_is_found() -> None:
    clock = Clock()
    look, moments = looks(clock, 0.02, lambda number: NOTHING)
    assert look_repeatedly(look, 1.0, clock, clock.sleep) is NOTHING
    assert moments == pytest.approx([0.0, 1.0, 2.0, 3.0])


def test_what_is_found_ends_the_tick_at_once() -> None:
    clock = Clock()
    look, moments = looks(clock, 0.02, lambda number: FOUND if number == 2 else NOTHING)
    assert look_repeatedly(look, 1.0, clock, clock.sleep) is FOUND
    assert moments == pytest.approx([0.0, 1.0])


def test_new_partitions_end_the_tick_too() -> None:
    clock = Clock()
    partitions = dg.DynamicPartitionsDefinition(name="shards")
    added = dg.SensorResult(dynamic_partitions_requests=[partitions.build_add_request(["a"])])
    look, moments = looks(clock, 0.02, lambda number: added)
    assert look_repeatedly(look, 1.0, clock, clock.sleep) is added
    assert len(moments) == 1


@given(every=st.floats(0.5, 100), cost=st.floats(0, 10))
def test_a_tick_is_over_before_the_daemon_comes_round_unless_one_look_takes_longer(
    every: float, cost: float
) -> None:
    clock = Clock()
    look, moments = looks(clock, cost, lambda number: NOTHING)
    look_repeatedly(look, every, clock, clock.sleep)
    assert moments[-1] <= LAST_LOOK_SECONDS
    assert clock.now <= max(cost, DAEMON_SECONDS)
    if cost > every / 5:
        assert len(moments) == 1
