"""``ragline serve --workers 2``: numbers of both, the death of one, the death of who looks after them."""

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from rag_assets.platform.settings import ServerSettings
from tests.app.api.running import Service, serving
from tests.app.supervision.test_supervisor import lives, wait_for
from tests.conftest import Deploy

ROUTE = "/v1/releases"
SILENCE_SECONDS = ServerSettings().worker_silence_seconds


@pytest.fixture
def service(deploy: Deploy) -> Iterator[Service]:
    with serving(deploy(), "--workers", "2", ready=False) as running:
        wait_for(lambda: len(workers(running)) == 2, "two workers")
        try:
            yield running
        finally:
            for pid in workers(running):
                os.kill(pid, signal.SIGTERM)


def workers(service: Service) -> list[int]:
    """Those that serve now."""
    started = re.findall(r"Started server process \[(\d+)\]", service.log.read_text())
    return [
        int(pid)
        for pid in started
        if psutil.pid_exists(int(pid)) and lives(psutil.Process(int(pid)))
    ]


@contextmanager
def paused(*pids: int) -> Iterator[None]:
    """While they take no connection, the others take all of them."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def asked(service: Service, times: int) -> None:
    for _ in range(times):
        assert httpx.get(service.url + ROUTE, timeout=120).status_code == 200


def number(service: Service, name: str, **labels: str) -> float:
    text = httpx.get(service.url + "/metrics", timeout=120).text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def count(service: Service) -> float:
    return number(service, "ragline_http_requests_total", route=ROUTE, status="200")


def in_progress(service: Service) -> float:
    """Besides the request that asks."""
    return number(service, "ragline_http_requests_in_progress") - 1


def unfinished_request(service: Service) -> socket.socket:
    """A request whose body never comes."""
    address = urlsplit(service.url)
    connection = socket.create_connection((str(address.hostname), int(address.port or 0)))
    head = f"POST /v1/search HTTP/1.1\r\nHost: {address.netloc}\r\n"
    more = "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    connection.sendall((head + more).encode())
    return connection


def test_numbers_are_those_of_all_workers_and_no_worker_outlives_its_parent(
    service: Service,
) -> None:
    first, second = workers(service)
    with paused(first):
        asked(service, 3)
        assert count(service) == 3
    with paused(second):
        asked(service, 4)
        waiting = unfinished_request(service)
        wait_for(lambda: in_progress(service) == 1, "the request that waits")
        # the first has 4 of them, the second 3
        assert count(service) == 7
    # it dies while it is asked whether it lives, and owes the answer
    os.kill(first, signal.SIGSTOP)
    time.sleep(1)
    os.kill(first, signal.SIGKILL)
    waiting.close()
    died = f"Child process [{first}] died"
    wait_for(lambda: died in service.log.read_text(), "a word", SILENCE_SECONDS / 2)
    wait_for(lambda: len(workers(service)) == 2 and first not in workers(service), "a third")
    with paused(second):
        # what the dead one had counted stays, what it was doing is over
        assert count(service) == 7
        wait_for(lambda: in_progress(service) == 0, "the dead one's request leaving the gauge")
        asked(service, 2)
    (third,) = set(workers(service)) - {second}
    with paused(third):
        assert count(service) == 9
        assert in_progress(service) == 0

    left = [psutil.Process(pid) for pid in workers(service)]
    folder = Path(left[0].environ()["PROMETHEUS_MULTIPROC_DIR"])
    assert {path.name for path in folder.glob("gauge_*")} == {
        f"gauge_livesum_{worker.pid}.db" for worker in left
    }
    service.process.kill()
    service.process.wait()
    wait_for(lambda: not any(map(lives, left)), "the end of the workers")
