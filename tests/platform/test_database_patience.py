"""A real PostgreSQL that takes long, and one that takes connections and says nothing."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from rag_assets.platform import database, database_patience
from rag_assets.platform.database import limit_waits, open_database, unhurried
from rag_assets.platform.errors import DatabaseUnavailable
from tests.postgres import create_database

SECONDS = 2.0
LONG = 60.0
NAP = sa.text("SELECT pg_sleep(:seconds)")


@pytest.fixture
def engine(postgres_url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(postgres_url, pool_pre_ping=True)
    with engine.connect():
        pass  # there is one of the time before
    limit_waits(engine, SECONDS)
    yield engine
    engine.dispose()


def nap(engine: sa.Engine, seconds: float) -> None:
    with engine.connect() as connection:
        connection.execute(NAP, {"seconds": seconds})


def test_a_statement_that_takes_too_long_ends_and_harms_no_other(engine: sa.Engine) -> None:
    began = time.monotonic()
    with pytest.raises(OperationalError, match="did not answer within 2 s"):
        nap(engine, LONG)
    assert time.monotonic() - began < LONG / 2
    # the server itself is well, and is asked at once
    nap(engine, 0)


def test_waiting_for_others_to_finish_ends_too(engine: sa.Engine) -> None:
    with engine.connect() as first, engine.connect() as second:
        lock = sa.text("SELECT pg_advisory_lock(4711)")
        first.execute(lock)
        with pytest.raises(OperationalError, match="did not answer"):
            second.execute(lock)
        first.execute(sa.text("SELECT pg_advisory_unlock(4711)"))


def test_rows_that_come_one_after_another_are_limited_too(engine: sa.Engine) -> None:
    # the first row is there at once, the one after it is not
    rows = sa.text("SELECT n, pg_sleep(n * 60) FROM generate_series(0, 1) AS n")
    with engine.connect() as connection:
        found = connection.execution_options(yield_per=1).execute(rows)
        assert found.fetchone() is not None
        with pytest.raises(OperationalError, match="did not answer"):
            found.fetchone()


def test_who_is_unhurried_waits(engine: sa.Engine) -> None:
    with unhurried():
        nap(engine, SECONDS + 1)
    with pytest.raises(OperationalError):
        nap(engine, LONG)


def test_transactions_are_what_they_were(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TEMP TABLE numbers (n int) ON COMMIT PRESERVE ROWS"))
        connection.execute(sa.text("INSERT INTO numbers VALUES (:n)"), [{"n": n} for n in range(5)])
    with engine.connect() as connection:
        connection.execute(sa.text("INSERT INTO numbers VALUES (6)"))
        connection.rollback()
        assert connection.execute(sa.text("SELECT count(*) FROM numbers")).scalar() == 5
        streamed = connection.execution_options(yield_per=2).execute(
            sa.text("SELECT n FROM numbers ORDER BY n")
        )
        assert [row.n for row in streamed] == list(range(5))


def test_closed_connections_leave_nothing_open(engine: sa.Engine) -> None:
    process = psutil.Process()
    nap(engine, 0)
    before = process.num_fds()
    for _ in range(20):
        engine.dispose()
        nap(engine, 0)
    assert process.num_fds() <= before + 2


def test_a_server_that_says_nothing_is_tried_by_one_caller_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        engine = sa.create_engine(f"postgresql+psycopg2://me:x@127.0.0.1:{port}/none")
        limit_waits(engine, SECONDS)
        monkeypatch.setattr(database_patience, "REST_SECONDS", LONG)
        with pytest.raises(OperationalError, match="timeout expired"):
            engine.connect()
        # known now: whoever comes is told at once
        for _ in range(3):
            with pytest.raises(OperationalError, match="The server does not answer"):
                engine.connect()
    engine.dispose()


class Proxy:
    """Stands before a server, takes connections for it, and passes on what is said.

    Attributes:
        silent: while it is set, nothing is passed on.
        silent_from: it is set when this is said; empty: never.
    """

    def __init__(self, server: str, silent_from: bytes = b"") -> None:
        self._server = f"{sa.make_url(server).query['host']}/.s.PGSQL.5432"
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.silent, self.silent_from = threading.Event(), silent_from
        self.url = sa.make_url(server).set(
            host="127.0.0.1", port=self._listening.getsockname()[1], query={"sslmode": "disable"}
        )
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            client, _ = self._listening.accept()
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError), target:
            while data := source.recv(65536):
                if self.silent_from and self.silent_from in data:
                    self.silent.set()
                while self.silent.is_set():
                    time.sleep(0.05)
                target.sendall(data)


def test_a_server_that_hangs_behind_a_proxy_is_used_again_when_it_goes_on(
    postgres_url: str,
) -> None:
    proxy = Proxy(postgres_url)
    engine = sa.create_engine(proxy.url, pool_pre_ping=True)
    limit_waits(engine, SECONDS)
    nap(engine, 0)
    proxy.silent.set()
    for _ in range(2):
        with pytest.raises(OperationalError, match="The server does not answer"):
            nap(engine, 0)
    proxy.silent.clear()
    end = time.monotonic() + LONG
    while True:
        try:
            nap(engine, 0)
            break
        except OperationalError:
            assert time.monotonic() < end
            time.sleep(0.2)
    engine.dispose()


def test_nothing_is_opened_at_a_server_that_hangs(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CONNECT_SECONDS", int(SECONDS))
    proxy = Proxy(create_database(postgres_url), silent_from=b"alembic_version")
    address = proxy.url.render_as_string(hide_password=False)
    with pytest.raises(DatabaseUnavailable, match="did not answer within 2 s"):
        open_database(address, tmp_path)
    proxy.silent_from = b""
    proxy.silent.clear()
    open_database(address, tmp_path).dispose()
