"""Locks in PostgreSQL: between machines that share nothing but the database."""

import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from rag_assets.platform.database import open_database
from rag_assets.platform.errors import AlreadyRunning
from rag_assets.platform.locks import exclusive_in_database, lock_folder
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings

HOLDER = """
import sys, time
from pathlib import Path
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
platform = Platform(Settings(home=sys.argv[1], database_url=sys.argv[2]))
with platform.lock("ingest", doing="testing"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def engine(postgres_url: str, tmp_path: Path) -> sa.Engine:
    return open_database(postgres_url, tmp_path)


def test_a_process_of_another_machine_is_named_and_a_killed_one_frees_the_lock(
    engine: sa.Engine, postgres_url: str, tmp_path: Path
) -> None:
    # the holder's lock files are where this process does not look
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "other"), postgres_url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        named = rf"at work on 'ingest' \(ragline {holder.pid}@{socket.gethostname()[:20]}"
        with (
            pytest.raises(AlreadyRunning, match=named) as refused,
            exclusive_in_database(engine, "ingest", doing="other"),
        ):
            pass
        assert "Wait until it has finished" in refused.value.hint
        with exclusive_in_database(engine, "another name", doing="other"):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with exclusive_in_database(engine, "ingest", doing="other", timeout=60):
        pass


def test_who_waits_gets_it_when_the_other_lets_go(engine: sa.Engine) -> None:
    held, let_go, order = threading.Event(), threading.Event(), list[str]()

    def hold() -> None:
        with exclusive_in_database(engine, "index-write", doing="first"):
            held.set()
            let_go.wait(60)
            order.append("first")

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(60)
    threading.Timer(0.3, let_go.set).start()
    with exclusive_in_database(engine, "index-write", doing="second", timeout=60):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_it_is_free_again_after_an_error_and_its_connection_forgets_who_held_it(
    engine: sa.Engine,
) -> None:
    with (
        pytest.raises(KeyError),
        exclusive_in_database(engine, "ingest", doing="failing"),
    ):
        raise KeyError
    with engine.connect() as connection:
        held = connection.execute(
            sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        ).scalar()
        names = connection.execute(
            sa.text("SELECT application_name FROM pg_stat_activity WHERE application_name <> ''")
        ).scalars()
        assert held == 0
        assert [name for name in names if name.startswith("ragline")] == []
    with exclusive_in_database(engine, "ingest", doing="next"):
        pass


def test_a_connection_that_the_server_ended_has_lost_the_lock_and_harms_nobody(
    engine: sa.Engine,
) -> None:
    with exclusive_in_database(engine, "ingest", doing="unlucky"):
        with engine.connect() as connection:
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                )
            )
        with exclusive_in_database(engine, "ingest", doing="lucky", timeout=60):
            pass
    with exclusive_in_database(engine, "ingest", doing="next"):
        pass


@pytest.mark.parametrize("server", ["sqlite", "postgresql"])
def test_one_process_may_hold_it_twice(server: str, postgres_url: str, tmp_path: Path) -> None:
    url = postgres_url if server == "postgresql" else ""
    platform = Platform(Settings(home=str(tmp_path / "home"), database_url=SecretStr(url)))
    with platform.lock("ingest", doing="a"):
        with platform.lock("ingest", doing="b"):
            pass
        # the inner one did not let go of it
        in_another_thread(platform, refused=True)
    in_another_thread(platform, refused=False)
    with platform.lock("ingest", doing="c"):
        pass


def in_another_thread(platform: Platform, *, refused: bool) -> None:
    outcomes = list[bool]()

    def attempt() -> None:
        try:
            with platform.lock("ingest", doing="another thread"):
                outcomes.append(False)
        except AlreadyRunning:
            outcomes.append(True)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert outcomes == [refused]


def test_lock_files_are_beside_the_database_file_of_all(engine: sa.Engine, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    shared = open_database(f"sqlite:///{tmp_path / 'shared' / 'platform.db'}", tmp_path)
    assert lock_folder(shared, tmp_path / "mine") == tmp_path / "shared" / "locks"
    assert lock_folder(engine, tmp_path / "mine") == tmp_path / "mine" / "locks"
