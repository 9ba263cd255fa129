"""One of two worker processes is killed, or both fail: only answers that were being written are lost."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import psutil
import pytest

from tests.app.api.running import Service, serving

from .asking import Caller, eventually, measured

CALLERS = 4
SECONDS_AFTER = 3.0
ENVIRONMENT = {
    # one that starts on a busy machine says nothing for a while
    "RAG_SERVER__WORKER_SILENCE_SECONDS": "20",
    "RAG_SERVER__SHUTDOWN_SECONDS": "1",
}


@pytest.fixture(scope="module")
def service(small_service: Service) -> Iterator[Service]:
    """Two workers."""
    with serving(small_service.folder, "--workers", "2", environment=ENVIRONMENT) as running:
        yield running


def workers(service: Service) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(service.process.pid).children():
        with suppress(psutil.NoSuchProcess):  # dead, and not yet taken note of
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_a_worker_that_is_killed_costs_the_answers_it_was_writing(service: Service) -> None:
    caller = Caller(service)
    first, second = workers(service)
    lost: list[str] = []
    seconds: list[float] = []
    until = time.monotonic() + 3600

    def go_on() -> None:
        while time.monotonic() < until:
            try:
                seen = caller.ask()
            except httpx.TransportError as error:
                lost.append(type(error).__name__)
                continue
            # another status than these would be a half-dead service
            assert (seen.status, seen.kind) in ((200, ""), (503, "busy")), seen.body
            seconds.append(seen.seconds)

    with ThreadPoolExecutor(CALLERS) as pool:
        asking = [pool.submit(go_on) for _ in range(CALLERS)]
        try:
            eventually(lambda: len(seconds) >= CALLERS, "answers")
            first.send_signal(signal.SIGKILL)
            took = eventually(
                lambda: len(found := workers(service)) == 2 and first not in found,
                "another worker",
            )
        finally:
            until = time.monotonic() + SECONDS_AFTER
        for future in asking:
            future.result()
    measured("worker: killed, another process is there", took)
    print(f"measured: worker: killed, of {len(seconds) + len(lost)} questions lost: {len(lost)}")
    # one thread has one question under way
    assert len(lost) <= CALLERS
    assert second.is_running()
    eventually(lambda: not caller.missing(), "ready")
    assert service.process.poll() is None


def test_one_that_dies_is_replaced_while_another_hangs_which_is_replaced_later(
    service: Service,
) -> None:
    hangs, dies = workers(service)
    hangs.suspend()
    dies.kill()
    took = eventually(lambda: bool(set(workers(service)) - {hangs, dies}), "another worker")
    measured("worker: killed while the other one hangs, another process is there", took)
    # answered by the new one: nobody else could
    took = eventually(lambda: answers(service), "an answer")
    measured("worker: killed while the other one hangs, answers again", took)
    took = eventually(
        lambda: len(found := workers(service)) == 2 and hangs not in found, "two that work"
    )
    measured("worker: hangs, another process is there, after that", took)
    said = service.log.read_text()
    assert said.index(f"[{dies.pid}] died") < said.index(f"[{hangs.pid}] has said nothing")
    eventually(lambda: answers(service), "an answer")


def answers(service: Service) -> bool:
    """Whether a question is answered; one that a hanging worker has taken never is."""
    try:
        return httpx.get(f"{service.url}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def test_the_service_ends_although_a_worker_hangs(service: Service) -> None:
    hangs, other = workers(service)
    hangs.suspend()
    started = time.monotonic()
    service.stop()
    measured("worker: hangs, the service has ended", time.monotonic() - started)
    assert not hangs.is_running()
    assert not other.is_running()
