"""Asking a service that something is wrong with: what came back, how soon, and that it tells nothing."""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from tests.app.api.running import Service
from tests.query.openai_server import Reply

QUESTION = "How much may a room in London cost?"
QUOTED = "165 pounds"
ANSWER = Reply(tokens=("Up to 165 pounds ", "[1]."))
# in a document of others, in a key and in a password: callers must never read it
CANARY = "zqmarmaladexv"
MEND_SECONDS = 90.0


@dataclass(frozen=True)
class Seen:
    """What a caller got.

    Attributes:
        status: HTTP status; 0 when the connection broke.
        body: of the response.
        kind: of the problem, without its prefix; empty for an answer.
        headers: of the response.
        seconds: until it was there.
    """

    status: int
    body: dict[str, Any]
    kind: str
    headers: httpx.Headers
    seconds: float

    @property
    def degraded(self) -> list[str]:
        """What was amiss with an answer."""
        assert self.status == 200, self.body
        degraded: list[str] = self.body["degraded"]
        return degraded

    @property
    def cached(self) -> bool:
        """Whether an answer came out of the cache."""
        return "cache" in self.body["timings_ms"]


class Caller:
    """Asks one service; every question is another one to the cache unless ``limit`` says so.

    Args:
        service: that is asked.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self._numbers = itertools.count()

    def ask(self, *, limit: int | None = None, **body: Any) -> Seen:
        """Put the question."""
        if limit is None:
            again, number = divmod(next(self._numbers), 50)
            limit, question = 1 + number, QUESTION + " Please." * again
        else:
            question = QUESTION
        body = {"question": question, "limit": limit, **body}
        return self.send("POST", "/v1/ask", json=body)

    def send(self, method: str, path: str, **options: Any) -> Seen:
        """Send a request; whatever comes back holds no secret, no place and no trace of code."""
        started = time.monotonic()
        with self.service.client() as client:
            response = client.request(method, path, **options)
        seconds = time.monotonic() - started
        # an answer names the places of its documents; an error names none
        places = (str(self.service.folder), ".ragline", "postgres") if response.is_error else ()
        for secret in (CANARY, "Traceback", *places):
            assert secret not in response.text, response.text
        kind = ""
        body = response.json() if "json" in response.headers["content-type"] else {}
        if response.status_code >= 400 and path.startswith("/v1"):
            assert response.headers["content-type"] == "application/problem+json"
            assert (body["status"], body["instance"]) == (response.status_code, path)
            assert body["request_id"]
            kind = body["type"].removeprefix("urn:ragline:problem:")
        return Seen(response.status_code, body, kind, response.headers, seconds)

    def missing(self) -> list[str]:
        """What ``/readyz`` says is missing; its status fits that."""
        seen = self.send("GET", "/readyz")
        missing: list[str] = seen.body["missing"]
        assert (seen.status, seen.body["ready"]) == ((503, False) if missing else (200, True))
        assert "Retry-After" in seen.headers or not missing
        assert self.send("GET", "/healthz").status == 200
        return missing

    def number(self, sample: str) -> float:
        """A sample of ``/metrics``, by its name and labels; 0 when it is not there."""
        with self.service.client() as client:
            text = client.get("/metrics").raise_for_status().text
        for line in text.splitlines():
            name, _, value = line.rpartition(" ")
            if name == sample:
                return float(value)
        return 0.0


def eventually(holds: Callable[[], bool], what: str) -> float:
    """Wait until something holds; the seconds it took."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() < started + MEND_SECONDS, f"in {MEND_SECONDS} s: not {what}"
        time.sleep(0.1)
    return time.monotonic() - started


def errors_of(service: Service) -> Iterator[str]:
    """Lines of the service's log that speak of something nobody foresaw."""
    for line in service.log.read_text(encoding="utf-8", errors="replace").splitlines():
        if "Traceback" in line or CANARY in line:
            yield line


def measured(what: str, seconds: float) -> None:
    """Say how long something took, for docs/failures.md: ``pytest -s tests/app/faults``."""
    print(f"\nmeasured: {what}: {seconds:.2f} s")
