"""A real PostgreSQL that takes long, and one that takes connections and says nothing."""

import socket
import threading
import time
from collections.abc import Iterator

import psutil
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from rag_assets.platform.database import limit_waits, unhurried

SECONDS = 1.0
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
    with pytest.raises(OperationalError, match="did not answer within 1 s"):
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


def test_a_server_that_says_nothing_is_tried_by_one_caller_only() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        engine = sa.create_engine(f"postgresql+psycopg2://me:x@127.0.0.1:{port}/none")
        limit_waits(engine, SECONDS)
        with pytest.raises(OperationalError, match="timeout expired"):
            engine.connect()
        # known now: whoever comes is told at once
        for _ in range(3):
            with pytest.raises(OperationalError, match="The server does not answer"):
                engine.connect()
    engine.dispose()


def test_a_server_behind_a_proxy_that_takes_connections_for_it(postgres_url: str) -> None:
    """The proxy answers the greeting and passes on what is said, until it is told to be silent."""
    path = sa.make_url(postgres_url).query["host"]
    silent = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        passing = threading.Thread(
            target=_pass_on, args=(listening, f"{path}/.s.PGSQL.5432", silent), daemon=True
        )
        passing.start()
        address = sa.make_url(postgres_url).set(
            host="127.0.0.1", port=listening.getsockname()[1], query={"sslmode": "disable"}
        )
        engine = sa.create_engine(address, pool_pre_ping=True)
        limit_waits(engine, SECONDS)
        nap(engine, 0)
        silent.set()
        with pytest.raises(OperationalError, match="does not answer"):
            nap(engine, 0)
        with pytest.raises(OperationalError, match="The server does not answer"):
            nap(engine, 0)
        silent.clear()
        end = time.monotonic() + LONG
        while True:
            try:
                nap(engine, 0)
                break
            except OperationalError:
                assert time.monotonic() < end
                time.sleep(0.2)
    engine.dispose()


def _pass_on(listening: socket.socket, server: str, silent: threading.Event) -> None:
    def copy(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                while silent.is_set():
                    time.sleep(0.05)
                target.sendall(data)
        except OSError:
            pass
        target.close()

    while True:
        try:
            client, _ = listening.accept()
        except OSError:
            return
        behind = socket.socket(socket.AF_UNIX)
        behind.connect(server)
        for pair in ((client, behind), (behind, client)):
            threading.Thread(target=copy, args=pair, daemon=True).start()
