"""The history of releases: what was live at a moment, and why promotions are held back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.platform.database import open_database
from rag_assets.platform.errors import ReleaseConflict
from rag_assets.releases.history import History
from rag_assets.releases.registry import Registry, Release
from rag_assets.releases.schema import release_events
from tests.platform.databases import fresh_database

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> sa.Engine:
    return open_database(fresh_database(request, tmp_path), tmp_path)


def candidate(registry: Registry) -> Release:
    return registry.add_candidate(
        table_name="chunks_x",
        lance_version=3,
        fingerprints={"index": "f"},
        partitions={"docs": "digest"},
        documents=2,
        chunks=5,
        manifest_sha256="0" * 64,
        run_id="run",
    )


def one_a_day(engine: sa.Engine) -> None:
    """Move the events to one a day from START on, in their order."""
    with engine.begin() as connection:
        keys = connection.execute(sa.select(release_events.c.id).order_by(release_events.c.id))
        for day, key in enumerate(keys.scalars().all()):
            moment = START + timedelta(days=day)
            chosen = release_events.c.id == key
            connection.execute(sa.update(release_events).where(chosen).values(at=moment))


def test_what_was_live_is_known_through_rollbacks(engine: sa.Engine) -> None:
    registry, history = Registry(engine), History(engine)
    first, second = registry.promote(candidate(registry).id, {}), candidate(registry)
    registry.promote(second.id, {})
    registry.promote(first.id, event="rolled_back")
    registry.reject(candidate(registry).id, "worse", {})
    registry.promote(second.id)
    one_a_day(engine)

    days = [history.live_at(START + timedelta(days=day)) for day in range(-1, 7)]
    assert days == [None, 1, 2, 1, 1, 2, 2, 2]
    assert history.live_at(START + timedelta(days=1, microseconds=-1)) == 1


def test_a_moment_has_a_time_zone_and_it_counts(engine: sa.Engine) -> None:
    registry, history = Registry(engine), History(engine)
    registry.promote(candidate(registry).id, {})
    one_a_day(engine)
    # 00:30 in Berlin is half an hour before midnight in UTC
    berlin = ZoneInfo("Europe/Berlin")
    assert history.live_at(datetime(2026, 3, 1, 0, 30, tzinfo=berlin)) is None
    assert history.live_at(datetime(2026, 3, 1, 1, 0, tzinfo=berlin)) == 1


def test_the_release_before_is_the_one_that_was_live_before(engine: sa.Engine) -> None:
    registry = Registry(engine)
    assert registry.before_live() is None
    for _ in range(3):
        registry.promote(candidate(registry).id, {})
    assert registry.before_live() == registry.get(2)
    registry.mark_removed(2, "old")
    assert registry.before_live() == registry.get(1)
    registry.promote(1, event="rolled_back")
    assert registry.before_live() is None


@given(steps=st.lists(st.integers(1, 4), max_size=12))
def test_any_order_of_promotions_is_remembered(
    steps: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    engine = open_database("", tmp_path_factory.mktemp("history"))
    registry, history = Registry(engine), History(engine)
    for _ in range(4):
        registry.reject(candidate(registry).id, "", {})
    live: list[int] = []
    for release_id in steps:
        if live and release_id == live[-1]:
            with pytest.raises(ReleaseConflict, match="live already"):
                registry.promote(release_id, over=live[-2] if len(live) > 1 else None)
        else:
            registry.promote(release_id, over=live[-1] if live else None)
            live.append(release_id)
    with engine.begin() as connection:
        connection.execute(sa.delete(release_events).where(release_events.c.event == "rejected"))
    one_a_day(engine)
    days = [history.live_at(START + timedelta(days=day)) for day in range(len(live))]
    assert days == live
    assert [item.id for item in registry.all() if item.status == "live"] == live[-1:]
    engine.dispose()


def test_a_hold_says_who_and_why_and_is_one(engine: sa.Engine) -> None:
    history = History(engine)
    assert history.hold() is None
    history.set_hold(reason="the fair is on", actor="ada")
    history.set_hold(reason="the fair goes on", actor="bob")
    hold = history.hold()
    assert hold is not None
    assert (hold.reason, hold.actor, hold.since.tzinfo) == ("the fair goes on", "bob", UTC)
    assert history.resume(reason="it is over", actor="ada")
    assert history.hold() is None
    assert not history.resume()
    told = [(item.event, item.actor, item.reason) for item in history.events()]
    assert told == [
        ("held", "ada", "the fair is on"),
        ("held", "bob", "the fair goes on"),
        ("resumed", "ada", "it is over"),
    ]


def test_events_of_one_release_are_told_alone_and_in_order(engine: sa.Engine) -> None:
    registry, history = Registry(engine), History(engine)
    first = registry.promote(candidate(registry).id, {}, actor="ada", reason="so", accepted=["x"])
    registry.promote(candidate(registry).id, {})
    registry.amend(first.id, "amended", reason="one forgotten", chunks=4, manifest_sha256="1" * 64)
    registry.mark_removed(first.id, "old")
    told = history.events(first.id)
    assert [item.event for item in told] == ["promoted", "amended", "removed"]
    assert (told[0].actor, told[0].reason, told[0].details) == ("ada", "so", {"accepted": ["x"]})
    assert told[1].details == {"chunks": 4}
    assert all(item.at.tzinfo is UTC for item in told)
    assert [item.id for item in history.events()] == sorted(item.id for item in history.events())


def test_what_is_live_or_not_judged_is_never_removed(engine: sa.Engine) -> None:
    registry = Registry(engine)
    live, waiting = registry.promote(candidate(registry).id, {}), candidate(registry)
    assert not registry.mark_removed(live.id, "old")
    assert not registry.mark_removed(waiting.id, "old")
    registry.wait(waiting.id, "held", {}, "judges")
    assert registry.mark_removed(waiting.id, "old")
    assert not registry.mark_removed(waiting.id, "again")


@pytest.mark.parametrize("over", [None, 1])
def test_who_judged_against_another_release_promotes_nothing(
    engine: sa.Engine, over: int | None
) -> None:
    registry = Registry(engine)
    registry.promote(candidate(registry).id, {})
    second = registry.promote(candidate(registry).id, {})
    third = candidate(registry)
    with pytest.raises(ReleaseConflict, match="Release 2 went live while release 3") as refused:
        registry.promote(third.id, {}, over=over)
    assert f"against {'release 1' if over else 'nothing'}" in str(refused.value)
    assert registry.live() == second
    assert registry.get(third.id) == third
    assert registry.promote(third.id, {}, over=second.id).status == "live"


def test_nobody_promotes_what_another_has_just_promoted(engine: sa.Engine) -> None:
    registry = Registry(engine)
    first = registry.promote(candidate(registry).id, {}, over=None)
    second = candidate(registry)
    registry.promote(second.id, {}, over=first.id)
    with pytest.raises(ReleaseConflict, match="Release 2 is live already"):
        registry.promote(second.id, {}, over=first.id)
    assert [item.event for item in History(engine).events(second.id)] == ["promoted"]


def test_a_decision_on_what_is_no_candidate_any_more_is_refused(engine: sa.Engine) -> None:
    registry = Registry(engine)
    live = registry.promote(candidate(registry).id, {})
    for decide in (registry.reject, registry.wait):
        with pytest.raises(ReleaseConflict, match="Release 1 is not a candidate any more"):
            decide(live.id, "too late", {"quality": {}})
    assert registry.live() == live
