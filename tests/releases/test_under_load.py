"""200 promotions and rollbacks while other processes ask: no query fails, is mixed, or is stale."""

import multiprocessing
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import pytest

from rag_assets.platform.platform import Platform
from rag_assets.releases.operations import promote_release, roll_back
from tests.query.editions import deployment, live, release_edition
from tests.releases.under_load import Switch, Told, ask_until, judge, read

EDITIONS = 4
SWITCHES = 200
IN_A_ROW = 20  # switches before one release stays live until its answers are the only right ones
PROCESSES = 3
WAIT = 300.0  # for processes that have died; a slow machine is only slow


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Platform:
    """Four releases, each of an edition of its own: release n has edition n."""
    platform = deployment(tmp_path_factory.mktemp("load"), model_cache)
    for edition in range(1, EDITIONS + 1):
        assert release_edition(platform, edition).id == edition
    return platform


@contextmanager
def readers(platform: Platform, folder: Path) -> "Iterator[list[Synchronized[int]]]":
    """Processes that ask until the end; their counters of queries."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    counts = [context.Value("i", 0) for _ in range(PROCESSES)]
    settings = platform.settings.model_dump_json()
    processes = [
        context.Process(
            target=ask_until, args=(stop, count, settings, str(folder / f"{at}.jsonl"), at)
        )
        for at, count in enumerate(counts)
    ]
    for process in processes:
        process.start()
    try:
        wait_for_queries(counts, 1)
        yield counts
    finally:
        stop.set()
        for process in processes:
            process.join(WAIT)
    assert [process.exitcode for process in processes] == [0] * PROCESSES


def wait_for_queries(counts: "list[Synchronized[int]]", more: int) -> None:
    """Wait until every process has finished some more queries than it has now."""
    wanted = [count.value + more for count in counts]
    deadline = time.monotonic() + WAIT
    while any(count.value < least for count, least in zip(counts, wanted, strict=True)):
        assert time.monotonic() < deadline, "a reading process asks nothing any more"
        time.sleep(0.02)


def switch(platform: Platform, release: int) -> Switch:
    """Make a release live: forward by a promotion, back by a rollback."""
    before = live(platform).id
    began = time.monotonic()
    if release < before:
        roll_back(platform, release)
    else:
        promote_release(platform, release)
    return Switch(release, began, time.monotonic())


def test_no_query_fails_is_mixed_or_is_stale(platform: Platform, tmp_path: Path) -> None:
    chance = random.Random(5)
    switches = [Switch(live(platform).id, 0.0, 0.0)]
    seconds = platform.settings.query.refresh_seconds
    assert seconds <= 2.0
    with readers(platform, tmp_path) as counts:
        for number in range(1, SWITCHES + 1):
            others = {*range(1, EDITIONS + 1)} - {switches[-1].release}
            switches.append(switch(platform, chance.choice(sorted(others))))
            if number % IN_A_ROW == 0:
                time.sleep(seconds)
                # the query that a process is in may have begun before; the next one has not
                wait_for_queries(counts, 2)
    told = [query for at in range(PROCESSES) for query in read(tmp_path / f"{at}.jsonl")]

    verdict = judge(told, switches, lambda release: release, seconds)

    print(f"judged: {dict(verdict.kinds)}, decided: {verdict.decided}")
    assert not verdict.failed, verdict.failed[:3]
    assert not verdict.mixed, verdict.mixed[:3]
    assert not verdict.stale, verdict.stale[:3]
    assert min(verdict.kinds[kind] for kind in ("search", "ask")) >= SWITCHES / 4
    # there was something to see: answers of every release, and many that only one could give
    assert {query.release for query in told} == set(range(1, EDITIONS + 1))
    assert verdict.decided >= PROCESSES * SWITCHES // IN_A_ROW


SWITCHED = [Switch(1, 0.0, 0.0), Switch(2, 10.0, 10.5), Switch(1, 20.0, 20.5)]


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        (Told("search", 5.0, 5.1, 1, [[1], [1]]), ""),
        (Told("search", 5.0, 10.2, 2, [[2]]), ""),  # went live while it was asked
        (Told("search", 11.4, 11.6, 1, [[1]]), ""),  # not a second since the commit
        (Told("ask", 11.6, 11.7, 1, [[1]]), "stale"),
        (Told("ask", 15.0, 15.1, 1, [[1]]), "stale"),
        (Told("ask", 5.0, 9.9, 2, [[2]]), "stale"),  # from the future
        (Told("ask", 15.0, 15.1, 2, [[2], [1]]), "mixed"),
        (Told("ask", 15.0, 15.1, 2, [[1, 2]]), "mixed"),
        (Told("ask", 15.0, 15.1, 2, [[1]]), "mixed"),  # says it is of another release than it is
        (Told("ask", 15.0, 15.1, 2, [[]]), "mixed"),
        (Told("ask", 15.0, 15.1, 2, []), "failed"),  # found nothing
        (Told("ask", 15.0, 15.1, 0, [], "IndexUnavailable()"), "failed"),
        (Told("search", 15.0, 15.1, 2, [[2]], "release_fallback"), "failed"),
    ],
)
def test_the_judge_sees_what_is_wrong(query: Told, wrong: str) -> None:
    verdict = judge([query], SWITCHED, lambda release: release, 1.0)
    found = {name for name in ("failed", "mixed", "stale") if getattr(verdict, name)}
    assert found == ({wrong} if wrong else set())
