"""The language model fails in every way it can: the answer is quoted, and the service goes on."""

import asyncio
import threading
import time

import httpx
import pytest

from rag_app.service.workers import Busy, Workers
from rag_assets.platform import interruption
from tests.query.openai_server import Reply

from .asking import QUESTION, QUOTED, Caller, eventually, measured
from .servers import LLM

# way → what the server does, and how the answer names it
WAYS: dict[str, tuple[Reply, str]] = {
    "500": (Reply(status=500), "llm_server_error"),
    "429": (Reply(status=429), "llm_overloaded"),
    "hangs at once": (Reply(hang=-1), "llm_timeout"),
    "hangs after a token": (Reply(hang=1), "llm_timeout"),
    "a web page": (Reply(raw="<html>no</html>"), "llm_invalid_response"),
    "no JSON": (Reply(events=("{no json",)), "llm_invalid_response"),
    "breaks off": (Reply(break_after=1), "llm_broken_off"),
    "cites nothing": (Reply(tokens=("It depends.",)), "llm_uncited"),
    "refuses the key": (Reply(status=401), "llm_bad_key"),
}
CANCELLED = 'ragline_questions_total{answerer="none",outcome="cancelled"}'
# keep-alive comments come for ever: no time limit but that of the whole answer ends it
HANGS = Reply(hang=0, comments=True)
LONG_AFTER_SECONDS = 60.0  # half of llm.total_seconds: whoever is free by then was freed


@pytest.mark.parametrize("way", WAYS)
def test_a_language_model_that_fails_gives_way_to_quotations(
    caller: Caller, llm: LLM, way: str
) -> None:
    reply, degraded = WAYS[way]
    llm.reset(reply)
    sample = f'ragline_degradations_total{{kind="{degraded}"}}'
    before = caller.number(sample)
    seen = caller.ask()
    measured(f"LLM: {way}", seen.seconds)
    assert seen.degraded == [degraded]
    assert QUOTED in seen.body["answer"]
    assert seen.body["citations"][0]["document_id"] == "docs/travel.md"
    assert seen.body["answerer"] == "extractive"
    assert caller.number(sample) == before + 1
    assert not caller.missing()
    assert caller.ask().degraded == []


def test_one_that_is_killed_is_asked_again_when_it_is_back(caller: Caller, llm: LLM) -> None:
    with llm.away():
        seen = caller.ask(limit=90)
        measured("LLM: killed", seen.seconds)
        assert seen.degraded == ["llm_unreachable"]
        assert QUOTED in seen.body["answer"]
        assert not caller.missing()
    # what was quoted meanwhile is not kept as the answer
    took = eventually(lambda: caller.ask(limit=90).degraded == [], "the LLM's answer")
    measured("LLM: killed, answers again", took)


@pytest.mark.parametrize("stream", [False, True])
def test_who_leaves_one_that_hangs_holds_no_thread(caller: Caller, llm: LLM, stream: bool) -> None:
    """The service answers two questions at a time, and two callers wait in vain."""
    llm.reset(default=HANGS)
    gone, cancelled = threading.Event(), caller.number(CANCELLED)

    def waits(number: int) -> None:
        body = {"question": QUESTION, "limit": 91 + number, "stream": stream}
        with (
            caller.service.client() as client,
            client.stream("POST", "/v1/ask", json=body) as response,
        ):
            del response
            gone.wait(LONG_AFTER_SECONDS)

    def impatient(number: int) -> None:
        body = {"question": QUESTION, "limit": 91 + number}
        with caller.service.client() as client, pytest.raises(httpx.ReadTimeout):
            client.post("/v1/ask", json=body, timeout=3)

    threads = [
        threading.Thread(target=waits if stream else impatient, args=(number,))
        for number in range(2)
    ]
    for thread in threads:
        thread.start()
    eventually(lambda: len(llm.requests) == 2, "two questions at the LLM")
    busy = caller.ask(answerer="extractive")
    assert (busy.status, busy.kind, busy.headers["Retry-After"]) == (503, "busy", "1")
    gone.set()
    for thread in threads:
        thread.join()
    left = time.monotonic()
    eventually(lambda: caller.ask(answerer="extractive").status == 200, "a free thread")
    seconds = time.monotonic() - left
    measured(f"LLM: hangs, its callers left (stream: {stream}), a thread is free", seconds)
    assert seconds < LONG_AFTER_SECONDS
    assert llm.cut_off.wait(LONG_AFTER_SECONDS)
    eventually(lambda: caller.number(CANCELLED) == cancelled + 2, "two questions that are counted")


def test_who_gives_up_a_call_holds_no_thread() -> None:
    async def main() -> None:
        workers = Workers(1)
        waiting = asyncio.create_task(workers.run(interruption.sleep, LONG_AFTER_SECONDS))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await workers.run(int)
        waiting.cancel()
        started = time.monotonic()
        while True:
            try:
                assert await workers.run(int) == 0
                break
            except Busy:
                assert time.monotonic() < started + LONG_AFTER_SECONDS / 2
                await asyncio.sleep(0.01)
        workers.close()

    asyncio.run(main())
