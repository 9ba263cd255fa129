"""``ragline serve`` as a process of its own, on a port that is free."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.app.commands import COMMAND

START_SECONDS = 180
STOP_SECONDS = 60


@dataclass
class Service:
    """A server that answers.

    Attributes:
        url: its address.
        folder: of its deployment.
        process: the server.
        log: what it wrote.
        key: of a caller, where the service asks who calls.
    """

    url: str
    folder: Path
    process: "subprocess.Popen[bytes]"
    log: Path
    key: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """With the key."""
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def client(self, **options: object) -> httpx.Client:
        """A client of this service."""
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=120, **options)  # type: ignore[arg-type]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it as an operator would; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(STOP_SECONDS)
        finally:
            self.process.kill()

    def errors(self) -> str:
        """Tracebacks and errors in its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(line for line in lines if "Traceback" in line or "ERROR" in line)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(
    folder: Path, *options: str, environment: dict[str, str] | None = None, ready: bool = True
) -> Iterator[Service]:
    """Run the server of a deployment."""
    port = free_port()
    command = [*COMMAND, "serve", "--port", str(port), *options]
    path = "/readyz" if ready else "/healthz"
    with running(folder, command, port, environment or {}, path) as service:
        yield service


@contextmanager
def running(
    folder: Path, command: list[str], port: int, environment: dict[str, str], path: str
) -> Iterator[Service]:
    """Run a command in a folder, once it answers a path at a port."""
    log = folder / f"serve-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    service = Service(f"http://127.0.0.1:{port}", folder, process, log)
    try:
        wait_for(service, path)
        yield service
    finally:
        service.stop()


def wait_for(service: Service, path: str) -> None:
    """Wait until an address answers with 200."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if service.process.poll() is not None:
            break
        try:
            if httpx.get(service.url + path, timeout=30).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{path} does not answer:\n{service.log.read_text()[-4000:]}")
