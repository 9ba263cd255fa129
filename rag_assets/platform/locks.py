"""Locks between processes, and between machines that share a PostgreSQL.

The operating system frees a file lock when its process dies; PostgreSQL frees an advisory lock when
its connection does. Neither needs a clock or a clean-up.
"""

import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import AlreadyRunning

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

POLL_SECONDS = 0.2
# what this thread holds in databases: it may hold a lock twice, as it may a file lock
HELD: ContextVar[frozenset[tuple[str, str]]] = ContextVar("HELD", default=frozenset())


def lock_folder(engine: "Engine", state_path: Path) -> Path:
    """Where the lock files of a deployment live: with SQLite, beside the one database file."""
    database = engine.url.database
    if engine.dialect.name == "sqlite" and database and database != ":memory:":
        return Path(database).absolute().parent / "locks"
    return state_path / "locks"


@contextmanager
def exclusive_in_database(
    engine: "Engine", name: str, *, doing: str, timeout: float = 0.0
) -> Iterator[None]:
    """Hold a lock against processes on other machines; with SQLite there are none.

    Args:
        engine: the platform database.
        name, doing, timeout: as ``exclusive``.

    Raises:
        AlreadyRunning: a process on some machine holds the lock.
    """
    held = str(engine.url), name
    if engine.dialect.name != "postgresql" or held in HELD.get():
        yield
        return
    from sqlalchemy import text
    from sqlalchemy.exc import SQLAlchemyError

    digest = hashlib.sha256(f"ragline:{name}".encode()).digest()
    key = {"key": int.from_bytes(digest[:8], "big", signed=True)}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        deadline = time.monotonic() + timeout
        while not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), key).scalar():
            if time.monotonic() >= deadline:
                raise AlreadyRunning(
                    f"Another process is at work on '{name}'{_holder_of(connection, key['key'])}.",
                    "Wait until it has finished, or stop it, and run the command again.",
                )
            time.sleep(POLL_SECONDS)
        try:
            note = f"ragline {os.getpid()}@{socket.gethostname()}: {doing}"
            connection.execute(
                text("SELECT set_config('application_name', :note, false)"), {"note": note[:63]}
            )
            token = HELD.set(HELD.get() | {held})
            try:
                yield
            finally:
                HELD.reset(token)
        finally:
            with suppress(SQLAlchemyError):  # a lost connection has lost the lock already
                connection.execute(text("SELECT set_config('application_name', '', false)"))
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)


def _holder_of(connection: "Connection", key: int) -> str:
    from sqlalchemy import text

    query = text(
        "SELECT application_name, backend_start FROM pg_locks JOIN pg_stat_activity USING (pid) "
        "WHERE locktype = 'advisory' AND granted "
        "AND (classid::bigint << 32 | objid::bigint) = :key"
    )
    row = connection.execute(query, {"key": key}).first()
    return f" ({row.application_name}, since {row.backend_start})" if row else ""


@contextmanager
def exclusive(folder: Path, name: str, *, doing: str, timeout: float = 0.0) -> Iterator[None]:
    """Hold the lock ``name`` while the block runs.

    Args:
        folder: where the lock files live.
        name: what is locked, e.g. ``ingest`` or ``shard-handbook``.
        doing: what the holder is doing, for the message that another process shows.
        timeout: seconds to wait for the lock; 0 fails at once.

    Raises:
        AlreadyRunning: another process holds the lock; names it and says what to do.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    note = folder / f"{name}.json"
    lock = FileLock(folder / f"{name}.lock", is_singleton=True)
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        raise AlreadyRunning(
            f"Another process is at work on '{name}'{_holder(note)}.",
            "Wait until it has finished, or stop it, and run the command again.",
        ) from None
    try:
        holder = {"pid": os.getpid(), "since": datetime.now(UTC).isoformat(), "doing": doing}
        note.write_text(json.dumps(holder))
        yield
    finally:
        lock.release()


def _holder(note: Path) -> str:
    try:
        holder = json.loads(note.read_text())
        return f" (process {holder['pid']}, {holder['doing']}, since {holder['since']})"
    except (OSError, ValueError, KeyError):
        return ""
