"""One of two worker processes is killed: only the answers that it was writing are lost."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import psutil

from tests.app.api.running import Service, serving

from .asking import Caller, eventually, measured

CALLERS = 4
SECONDS_AFTER = 3.0


def workers(service: Service) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(service.process.pid).children():
        with suppress(psutil.NoSuchProcess):  # dead, and not yet taken note of
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_a_worker_that_is_killed_costs_the_answers_it_was_writing(uploader: Caller) -> None:
    with serving(uploader.service.folder, "--workers", "2") as service:
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
        print(
            f"measured: worker: killed, of {len(seconds) + len(lost)} questions lost: {len(lost)}"
        )
        # one thread has one question under way
        assert len(lost) <= CALLERS
        assert second.is_running()
        eventually(lambda: not caller.missing(), "ready")
        assert service.process.poll() is None
