"""A real Dagster webserver in a process of its own, spoken to as the UI does: by GraphQL."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from tests.jobs.daemon import ROOT, STOP_SECONDS

START_SECONDS = 240


class Webserver:
    """A running webserver.

    Attributes:
        url: where it listens.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of a query or a mutation; an error ends the test."""
        reply = httpx.post(
            f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=120
        )
        body: dict[str, Any] = reply.json()
        assert "errors" not in body, body["errors"]
        data: dict[str, Any] = body["data"]
        return data

    def serves(self) -> bool:
        """Whether it answers."""
        try:
            return httpx.get(f"{self.url}/server_info", timeout=10).status_code == 200
        except httpx.HTTPError:
            return False


@contextmanager
def running_webserver(
    module: str, folder: Path, environment: dict[str, str]
) -> Iterator[Webserver]:
    """Start ``dagster-webserver`` on a module; it is stopped at the end.

    Args:
        module: holds the definitions.
        folder: for its log.
        environment: variables besides those of this process; ``DAGSTER_HOME`` and ``RAG_HOME``.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    log = folder / "webserver.log"
    program = str(Path(sys.executable).with_name("dagster-webserver"))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "-m", module, "-h", "127.0.0.1", "-p", str(port)],
            cwd=ROOT,
            env={**os.environ, "DAGSTER_DISABLE_TELEMETRY": "1", **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        server = Webserver(f"http://127.0.0.1:{port}")
        limit = time.monotonic() + START_SECONDS
        while not server.serves():
            told = log.read_text(errors="replace")[-6000:]
            assert process.poll() is None, f"the webserver ended:\n{told}"
            assert time.monotonic() < limit, f"the webserver does not answer:\n{told}"
            time.sleep(0.5)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):  # everything has ended by itself
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
