"""An event loop that stands still: the process says where and ends, and another takes its place."""

import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from rag_app.api.standstill import EXIT_CODE
from tests.app.api.running import Service, free_port, running

ROOT = Path(__file__).parents[3]
SILENCE_SECONDS = 5
PATIENCE_SECONDS = 60


@contextmanager
def blockable(folder: Path, *, workers: int = 1) -> Iterator[Service]:
    port = free_port()
    # uvicorn itself, as `ragline serve` has it for one process
    one = ["uvicorn", "--factory", "tests.app.api.blocking:application", "--port", str(port)]
    several = ["tests.app.api.blocking", str(port), str(workers)]
    command = [sys.executable, "-m", *(one if workers == 1 else several)]
    environment = {
        "PYTHONPATH": str(ROOT),
        "RAG_SERVER__WORKER_SILENCE_SECONDS": str(SILENCE_SECONDS),
    }
    with running(folder, command, port, environment, "/healthz") as service:
        yield service


def block(service: Service) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{service.url}/block", timeout=PATIENCE_SECONDS)


def test_the_process_says_where_it_stands_and_ends(deployment: Path) -> None:
    with blockable(deployment) as service:
        block(service)
        assert service.process.wait(PATIENCE_SECONDS) == EXIT_CODE
        said = service.log.read_text(encoding="utf-8")
    assert f"has done nothing for {SILENCE_SECONDS} s" in said
    assert "in blocked_for_ever" in said


def test_a_process_that_was_stopped_goes_on(deployment: Path) -> None:
    with blockable(deployment) as service:
        service.process.send_signal(signal.SIGSTOP)
        time.sleep(3 * SILENCE_SECONDS)
        service.process.send_signal(signal.SIGCONT)
        until = time.monotonic() + 2 * SILENCE_SECONDS
        while time.monotonic() < until:
            assert httpx.get(f"{service.url}/healthz", timeout=PATIENCE_SECONDS).is_success
            time.sleep(0.5)


def test_one_of_several_is_replaced(deployment: Path) -> None:
    with blockable(deployment, workers=2) as service:
        started = re.compile(r"Started server process \[(\d+)\]")
        block(service)
        until = time.monotonic() + 2 * PATIENCE_SECONDS
        while len(set(started.findall(service.log.read_text()))) < 3 and time.monotonic() < until:
            time.sleep(0.1)
        assert len(set(started.findall(service.log.read_text()))) == 3
        assert httpx.get(f"{service.url}/healthz", timeout=PATIENCE_SECONDS).is_success
