"""The HTTP service at 100,000 chunks: latency, throughput, memory, and what HTTP adds to the engine.

``ragline serve`` runs as a process of its own over the deployment of ``benchmarks.search``; callers
are threads with one connection each. What the service adds is the time that a caller waits beyond the
time that the engine says it took (``timings_ms``), request by request. A call of the engine takes a
little more than it says, too: the first lines are the same questions without the service, whose
*added* belongs to the engine. The cache is off for the first part, and on for the second, in which
every question has been asked before.

Run: ``python -m benchmarks.service [--chunks 100000] [--requests 200] [--json]``.
"""

import argparse
import http.client
import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.connection import Connection
from benchmarks.search import DATA, build, percentile, questions
from rag_assets.encoders import make_encoder
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.releases.registry import Registry

CALLERS = (1, 8, 32)
START_SECONDS = 120
# what the engine times itself: a search, or an answer and the line in its log
ENGINE_PARTS = {"/v1/search": ("retrieve",), "/v1/ask": ("total", "log")}
# the total of an answer from the cache has the line in its log in it
CACHED_PARTS = ("total",)


class Taken(NamedTuple):
    """One request: how long its caller waited, and how long the engine says it took; seconds."""

    waited: float
    engine: float


@contextmanager
def serving(home: Path, *, cache: bool) -> Iterator[tuple[int, psutil.Process]]:
    """The service of a deployment on a free port, once it is ready."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = {
        **os.environ,
        "RAG_HOME": str(home),
        "RAG_SERVER__RATE_LIMIT": "",
        "RAG_CACHE__ENABLED": str(cache).lower(),
        "RAG_TELEMETRY__LOG_LEVEL": "WARNING",
    }
    command = [sys.executable, "-m", "rag_app.cli", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, cwd=home)
    try:
        wait_ready(port, process)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


def wait_ready(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Wait until a question could be answered."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise SystemExit("The service does not get ready.")


def together(
    port: int, path: str, bodies: Sequence[bytes], callers: int
) -> tuple[float, list[Taken]]:
    """Requests per second and each request, with several callers at once.

    Raises:
        SystemExit: a request failed: then nothing is measured.
    """
    waiting, lock, taken, failed = iter(bodies), threading.Lock(), list[Taken](), list[str]()

    def work() -> None:
        with Connection(port) as connection:
            while not failed:
                with lock:
                    body = next(waiting, None)
                if body is None:
                    return
                started = time.perf_counter()
                status, content = connection.post(path, body)
                waited = time.perf_counter() - started
                if status != 200:
                    failed.append(f"{status}: {content[:200]!r}")
                    return
                taken.append(Taken(waited, engine_seconds(path, json.loads(content))))

    threads = [threading.Thread(target=work) for _ in range(callers)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise SystemExit(f"A request failed: {failed[0]}")
    return len(taken) / (time.perf_counter() - started), taken


def engine_seconds(path: str, answer: dict[str, Any]) -> float:
    """The time that the engine took by its own account."""
    timings = answer["timings_ms"]
    parts = CACHED_PARTS if "cache" in timings else ENGINE_PARTS[path]
    return sum(timings.get(part, 0.0) for part in parts) / 1000


def row_of(name: str, callers: int, rate: float, taken: Sequence[Taken], memory: int) -> list[str]:
    """One line of the table."""
    waited = [item.waited for item in taken]
    added = [item.waited - item.engine for item in taken]
    return [
        name,
        str(callers),
        f"{percentile(waited, 0.5):.1f}",
        f"{percentile(waited, 0.99):.1f}",
        f"{percentile(added, 0.5):.2f}",
        f"{rate:.0f}",
        f"{memory / 1e6:.0f}",
    ]


def measure(home: Path, texts: Sequence[str]) -> list[list[str]]:
    """All lines of the table."""
    bodies = {
        "/v1/search": [json.dumps({"query": text}).encode() for text in texts],
        "/v1/ask": [
            json.dumps({"question": text, "answerer": "extractive"}).encode() for text in texts
        ],
    }
    rows = called(home, texts)
    with serving(home, cache=False) as (port, process):
        for path, requests in bodies.items():
            together(port, path, requests[:20], 4)  # what is loaded at first use
            for callers in CALLERS:
                rate, taken = together(port, path, requests, callers)
                memory = process.memory_info().rss
                rows.append(row_of(f"{path}, no cache", callers, rate, taken, memory))
    with serving(home, cache=True) as (port, process):
        asked = bodies["/v1/ask"]
        together(port, "/v1/ask", asked, 4)
        for callers in CALLERS:
            rate, taken = together(port, "/v1/ask", asked, callers)
            memory = process.memory_info().rss
            rows.append(row_of("/v1/ask, warm cache", callers, rate, taken, memory))
    return rows


def called(home: Path, texts: Sequence[str]) -> list[list[str]]:
    """The lines of the engine itself, called in a process of its own as the service calls it."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_called, home, texts).result()


def _called(home: Path, texts: Sequence[str]) -> list[list[str]]:
    engine, caller = QueryEngine(Platform(Settings(home=str(home)))), Caller(admin=True)

    def search(text: str) -> dict[str, float]:
        return engine.retrieve(text, caller).timings_ms

    def ask(text: str) -> dict[str, float]:
        return engine.ask(text, caller, answerer="extractive").timings_ms

    rows = []
    for path, call in {"/v1/search": search, "/v1/ask": ask}.items():
        for text in texts[:20]:
            call(text)
        taken, began = [], time.perf_counter()
        for text in texts:
            started = time.perf_counter()
            timings = call(text)
            waited = time.perf_counter() - started
            taken.append(Taken(waited, engine_seconds(path, {"timings_ms": timings})))
        rate = len(taken) / (time.perf_counter() - began)
        memory = psutil.Process().memory_info().rss
        rows.append(row_of(f"{path}, the engine itself", 1, rate, taken, memory))
    return rows


def prepared(state: str, chunks: int) -> Path:
    """The home of a deployment with a release of so many chunks; made at the first run."""
    home = Path(state).absolute() / str(chunks)
    platform = Platform(Settings(home=str(home)))
    encoder = make_encoder(platform.settings.encoder, platform.state_path)
    encoder.prepare()
    if Registry(platform.database).live() is None:
        build(platform, encoder, chunks)
    return home


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="The HTTP service under load.")
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--state", default=".ragline/benchmarks/search")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not DATA.is_dir():
        raise SystemExit(f"The benchmark's data is not at {DATA}.")
    home = prepared(arguments.state, arguments.chunks)
    rows = measure(home, questions(arguments.requests))
    names = ["request", "callers", "p50 ms", "p99 ms", "added p50 ms", "per second", "memory MB"]
    if arguments.json:
        print(json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=2))
        return
    table = Table(*names, title=f"{arguments.chunks} chunks, {arguments.requests} requests a line")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
