"""A real Dagster daemon in a process group of its own, for tests of schedules and backfills."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).parents[2]
STOP_SECONDS = 30
Found = TypeVar("Found")


class Daemon:
    """A running daemon.

    Attributes:
        log: everything it and its runs have printed.
        killed: whether ``kill`` has ended it.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self.log = log
        self.killed = False

    def wait_for(self, look: Callable[[], Found | None], what: str, seconds: float = 240) -> Found:
        """What ``look`` gives once it gives something.

        Raises:
            AssertionError: the daemon died, or it took too long; with the end of its log.
        """
        limit = time.monotonic() + seconds
        while (found := look()) is None:
            ended = self._process.poll()
            assert ended is None, f"the daemon ended with {ended}:\n{self._tail()}"
            assert time.monotonic() < limit, f"no {what} in {seconds} s:\n{self._tail()}"
            time.sleep(0.5)
        return found

    def kill(self) -> None:
        """End it, its code server and its runs as a power cut would."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self.killed = True

    def _tail(self) -> str:
        return self.log.read_text(errors="replace")[-6000:]


@contextmanager
def running_daemon(module: str, folder: Path, environment: dict[str, str]) -> Iterator[Daemon]:
    """Start ``dagster-daemon run`` on a module; it and its runs are stopped at the end.

    Args:
        module: holds the definitions.
        folder: for its log.
        environment: variables besides those of this process; ``DAGSTER_HOME`` and ``RAG_HOME``.
    """
    log = folder / "daemon.log"
    command = [str(Path(sys.executable).with_name("dagster-daemon")), "run", "-m", module]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "DAGSTER_DISABLE_TELEMETRY": "1", **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            # a group of its own: it would ignore SIGINT otherwise, and its runs outlive it
            start_new_session=True,
        )
    daemon = Daemon(process, log)
    try:
        yield daemon
    finally:
        if not daemon.killed:  # its number may be another's by now
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            with suppress(ProcessLookupError):  # everything has ended by itself
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
