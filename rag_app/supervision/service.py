"""One process of its own that is started, looked at, and ended with everything it has started."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rag_assets.platform.processes import end_with_parent

TAIL_BYTES = 4000
# of one log; as much of what was before is kept beside it
MOST_LOG_BYTES = 10_000_000
# for what a process that has ended left behind
GROUP_SECONDS = 3.0
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Service:
    """What is run.

    Attributes:
        name: for people.
        command: program and arguments.
        is_up: whether it does its work; called often, must come back soon and not raise.
        log: what it prints goes there.
        needs: the names of services that have to be up before this one is started.
        shown: lines for people once it is up: (what, address).
        environment: variables besides those of this process.
    """

    name: str
    command: tuple[str, ...]
    is_up: Callable[[], bool]
    log: Path
    needs: tuple[str, ...] = ()
    shown: tuple[tuple[str, str], ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


class Running:
    """A service that was started, in a process group of its own.

    Attributes:
        started_at: when, by the monotonic clock.
        up: whether it was seen at work.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.up = False
        self.started_at = time.monotonic()
        service.log.parent.mkdir(parents=True, exist_ok=True)
        with service.log.open("ab") as output:
            self._process = subprocess.Popen(
                service.command,
                env={**os.environ, **service.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C of a terminal must reach nobody but the one who ends all in order
                start_new_session=True,
                # should this process be killed, its services end themselves
                preexec_fn=partial(end_with_parent, os.getpid(), signal.SIGTERM),
            )

    @property
    def pid(self) -> int:
        """Of the process, and of its group."""
        return self._process.pid

    def ended(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self._process.poll()

    def tail(self) -> str:
        """The last of what it printed."""
        with suppress(OSError):
            return self.service.log.read_bytes()[-TAIL_BYTES:].decode(errors="replace").strip()
        return ""

    def bound_log(self) -> None:
        """Begin the log anew when it has become too large; the old one gets ``.1`` after its name.

        Its process goes on writing into the same file, so that it need not know.
        """
        log = self.service.log
        with suppress(FileNotFoundError):
            if log.stat().st_size > MOST_LOG_BYTES:
                shutil.copyfile(log, log.with_name(f"{log.name}.1"))
                os.truncate(log, 0)

    def ask_to_end(self) -> None:
        """Let it finish what it does."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def end(self, seconds: float) -> bool:
        """Wait until it has ended, and end what is left of its group.

        Args:
            seconds: after which it is killed.

        Returns:
            Whether it ended by itself.
        """
        by_itself = True
        try:
            self._process.wait(max(seconds, 0.0))
        except subprocess.TimeoutExpired:
            by_itself = False
            self.kill()
            self._process.wait()
        self._end_group()
        return by_itself

    def kill(self) -> None:
        """End it and its group at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def _end_group(self) -> None:
        """Its children may be tidying up: ask them, wait a little, then kill."""
        limit = time.monotonic() + GROUP_SECONDS
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGTERM)
        while self._group_lives() and time.monotonic() < limit:
            time.sleep(LOOK_SECONDS)
        self.kill()

    def _group_lives(self) -> bool:
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        return True
