"""The rules of the sensor ``source_changes``, one by one."""

from dataclasses import replace
from typing import Any

import pytest

from rag_assets.platform.tables import Stamp
from rag_assets.releases.registry import Release
from rag_jobs.pending import STAGES, Pending, ShardPending
from rag_jobs.sensors.decision import Decision, Rules, decide, described
from rag_jobs.sensors.flight import LONGEST_WAIT_SECONDS, Earlier, Flight

RULES = Rules(now=10_000.0, retry_seconds=60.0)
IDLE = Flight()
NEVER = Earlier()


def shard(name: str, *reasons: str, **values: Any) -> ShardPending:
    """A shard: with reasons it has work to do."""
    fixed: dict[str, Any] = {"listed": 10, "built": True, "digest": f"digest-of-{name}"}
    return ShardPending(name, reasons=reasons, stages=STAGES if reasons else (), **(fixed | values))


def pending(*shards: ShardPending, live: dict[str, str] | None = None, **values: Any) -> Pending:
    """The deployment; every shard's index has the digest "new", the live release what ``live`` says."""
    stamps: dict[str, dict[str, Stamp | None]] = {
        item.partition: dict.fromkeys(STAGES, Stamp("new", "", "")) for item in shards
    }
    release = None if live is None else object.__new__(Release)
    if release is not None:
        object.__setattr__(release, "partitions", live)
    fixed: dict[str, Any] = {"release_due": False, "release_reason": ""}
    return Pending(shards, release, stamps=stamps, **(fixed | values))


def decided(
    state: Pending,
    flight: Flight = IDLE,
    earlier: dict[str, Earlier] | None = None,
    rules: Rules = RULES,
) -> Decision:
    return decide(
        state, flight, lambda digest: (earlier or {}).get(digest, NEVER), lambda: "r", rules
    )


def asked(decision: Decision) -> list[tuple[str, str]]:
    return [(item.job, item.partition) for item in decision.requests]


DUE = {"release_due": True, "release_reason": "the index has changed since the live release"}


def test_nothing_to_do_says_what_was_looked_at() -> None:
    state = pending(shard("a"), shard("b", listed=1_194), live={})
    assert decided(state) == Decision((), ())
    assert described(state, ()) == "nothing has changed in 2 shards (1,204 documents)"


def test_a_single_shard_is_brought_in_and_released_by_one_run() -> None:
    decision = decided(pending(shard("a", "1 added"), shard("b"), live={}))
    (request,) = decision.requests
    assert (request.job, request.partition, request.attempt) == ("refresh", "a", 0)
    assert request.run_key == "refresh:a:digest-of-a:0"
    assert request.why == "1 added"


def test_several_shards_have_a_run_each() -> None:
    decision = decided(pending(shard("a", "1 added"), shard("b", "2 changed"), live={}))
    assert asked(decision) == [("ingest", "a"), ("ingest", "b")]


@pytest.mark.parametrize(
    "state",
    [
        pending(shard("a", "1 added"), live={}, release_reason="was rejected as release 3"),
        pending(shard("a", "no longer configured", retired=True), live={}),
        pending(shard("a", "1 added"), shard("b", "configuration", built=False), live={}),
    ],
    ids=["rejected", "retired", "another is half built"],
)
def test_what_cannot_be_released_is_only_brought_in(state: Pending) -> None:
    busy = {"b:digest-of-b": Earlier(1, 1, RULES.now)}
    assert asked(decided(state, earlier=busy)) == [("ingest", "a")]


def test_where_steps_run_elsewhere_a_run_does_one_thing() -> None:
    decision = decided(
        pending(shard("a", "1 added"), live={}), rules=replace(RULES, in_one_run=False)
    )
    assert asked(decision) == [("ingest", "a")]


def test_a_shard_has_one_run_at_a_time() -> None:
    state = pending(shard("a", "1 added"), shard("b", "1 added"), live={"a": "new", "b": "new"})
    decision = decided(state, Flight({"a": "run-1"}))
    assert asked(decision) == [("ingest", "b")]
    assert decision.reasons == ("run run-1 is at work on 'a'",)


def test_nothing_starts_while_something_is_released_or_backfilled() -> None:
    state = pending(shard("a", "1 added"), live={})
    for flight, word in ((Flight(release="r"), "releasing"), (Flight(backfill="b"), "backfill")):
        decision = decided(state, flight)
        assert decision.requests == ()
        assert word in decision.reasons[0]


def test_a_source_that_never_rests_does_not_keep_a_release_waiting() -> None:
    state = pending(
        shard("a", "1 added"), shard("b", "9 added"), live={"a": "old", "b": "new"}, **DUE
    )
    # a has changed already, and b is at work
    decision = decided(state, Flight({"b": "run-b"}))
    assert asked(decision) == []
    assert any(
        "waits until what has changed in it before is released" in r for r in decision.reasons
    )
    # b has ended, and both have changed again: the release goes first, and then they do
    decision = decided(state)
    assert asked(decision) == [("promote", "")]
    tried = {"release:r": Earlier(1, 1, RULES.now)}
    assert asked(decided(state, earlier=tried)) == [("ingest", "a"), ("ingest", "b")]


def test_a_release_waits_for_shards_at_work_and_half_built() -> None:
    ready = pending(shard("a"), shard("b"), live={"a": "old"}, **DUE)
    assert asked(decided(ready)) == [("promote", "")]
    assert decided(ready, Flight({"b": "run"})).reasons == (
        "the release waits for the shards that are at work",
    )
    half = pending(shard("a"), shard("b", "configuration", built=False), live={}, **DUE)
    waiting = {"b:digest-of-b": Earlier(1, 1, RULES.now)}
    decision = decided(half, earlier=waiting)
    assert asked(decision) == []
    assert decision.reasons == (
        "'b' is tried again at 02:47:40 UTC after 1 failed run",
        "the release waits for 'b'",
    )


def test_a_shard_that_was_never_there_is_not_missed() -> None:
    state = pending(shard("a"), shard("b", built=False, unavailable="gone"), live={}, **DUE)
    state.stamps["b"] = dict.fromkeys(STAGES)
    assert asked(decided(state)) == [("promote", "")]
    assert "the source 'b' cannot be listed: gone" in described(state, ())


def test_the_same_failure_waits_longer_every_time() -> None:
    state = pending(shard("a", "1 added"), live={})
    for failures, wait in ((1, 60), (2, 120), (5, 960), (40, LONGEST_WAIT_SECONDS)):
        tried = {"a:digest-of-a": Earlier(failures, failures, RULES.now - wait + 1)}
        decision = decided(state, earlier=tried)
        assert decision.requests == ()
        assert "'a' is tried again at 02:46:41 UTC" in decision.reasons[0]
        tried = {"a:digest-of-a": Earlier(failures, failures, RULES.now - wait)}
        (request,) = decided(state, earlier=tried).requests
        assert (request.attempt, request.run_key) == (failures, f"refresh:a:digest-of-a:{failures}")


def test_a_run_that_changes_nothing_is_not_repeated_at_every_tick() -> None:
    state = pending(shard("a", "1 added"), live={})
    tried = {"a:digest-of-a": Earlier(3, 0, RULES.now - 59)}
    assert "left the same to do" in decided(state, earlier=tried).reasons[0]
    tried = {"a:digest-of-a": Earlier(3, 0, RULES.now - 60)}
    assert len(decided(state, earlier=tried).requests) == 1


def test_a_release_that_failed_for_damage_is_tried_again_with_back_off() -> None:
    state = pending(shard("a"), live={"a": "old"}, **DUE)
    tried = {"release:r": Earlier(2, 2, RULES.now - 119)}
    decision = decided(state, earlier=tried)
    assert (decision.requests, decision.reasons) == (
        (),
        ("the release is tried again at 02:46:41 UTC after 2 failed runs",),
    )
    (request,) = decided(state, earlier={"release:r": Earlier(2, 2, RULES.now - 120)}).requests
    assert (request.run_key, request.why) == ("promote:release:r:2", state.release_reason)


def test_a_verdict_on_quality_is_not_asked_for_again_and_is_told() -> None:
    state = pending(
        shard("a"), live={}, release_reason="the present index was rejected as release 2"
    )
    assert decided(state).requests == ()
    assert described(state, ()) == "the present index was rejected as release 2"


def test_files_that_are_being_written_are_named() -> None:
    state = pending(shard("a", settling=2), live={})
    assert described(state, ()) == "2 files may still be being written"
