"""The Redis of the cache dies, hangs and comes back: callers see an answer, a moment later."""

from tests.app.cache.conftest import Redis

from .asking import Caller, eventually, measured

LIMIT = 95


def test_a_redis_that_is_killed_or_hangs_is_not_seen(caller: Caller, redis_server: Redis) -> None:
    first = caller.ask(limit=LIMIT)
    assert caller.ask(limit=LIMIT).cached
    redis_server.kill()
    for number in range(3):
        seen = caller.ask(limit=LIMIT)
        measured(f"Redis: killed, answer {number + 1}", seen.seconds)
        assert (seen.degraded, seen.cached) == ([], False)
        assert seen.body["answer"] == first.body["answer"]
    assert not caller.missing()
    redis_server.start()
    took = eventually(lambda: caller.ask(limit=LIMIT).cached, "an answer from the cache")
    measured("Redis: started again, used again", took)
    with redis_server.hanging():
        seen = caller.ask(limit=LIMIT)
        measured("Redis: hangs, first answer", seen.seconds)
        assert (seen.degraded, seen.body["answer"]) == ([], first.body["answer"])
        assert not caller.missing()
    eventually(lambda: caller.ask(limit=LIMIT).cached, "an answer from the cache")
