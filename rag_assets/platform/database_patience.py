"""A PostgreSQL that takes connections and does not answer: nobody waits for it without an end.

The driver waits as long as the server's system acknowledges what it is sent, and a limit that the
server itself would keep is no help when it hangs. So a thread looks at what is being waited for, and
ends connections that have been silent for too long; whoever waits gets the driver's error.

Once the server is known to hang, one caller tries now and then, and all others are told so at once.
"""

import math
import os
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import Context
from functools import partial
from typing import Any

import psycopg2
import sqlalchemy as sa
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from .database import CONNECT_SECONDS, UNHURRIED

LOOK_SECONDS = 0.1
IDLE_SECONDS = 60.0  # after that the thread that looks ends, until there is something to look at
REFUSAL_SECONDS = 1.0  # a server that is not there says so sooner
REST_SECONDS = 2.0  # a server that hangs is left alone for so long before it is tried again


class NoAnswer(psycopg2.OperationalError):
    """The server was silent for too long."""


class Patience:
    """How long an engine's connections wait for their server. Safe to use from several threads.

    Args:
        seconds: the longest wait for an answer, or for a connection.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._lock = threading.Lock()
        self._waiting: dict[PatientConnection, float] = {}
        self._looking = False
        self._trial = threading.Lock()
        self._try_again: float | None = None  # it hangs

    def of(self, engine: sa.Engine) -> None:
        """Be the patience of an engine, for all connections that it makes from now on."""
        sa.event.listen(engine, "do_connect", self._connect)
        sa.event.listen(engine, "handle_error", self._failed)
        engine.dispose()  # those that it has know no limit

    @contextmanager
    def waiting(self, connection: "PatientConnection") -> Iterator[None]:
        """Whatever is asked inside is answered in time, or the connection is ended.

        Raises:
            NoAnswer: it was ended.
        """
        if UNHURRIED.get():
            yield
            return
        ended = connection.given_up
        with self._lock:
            self._waiting[connection] = time.monotonic() + self.seconds
            if not self._looking:
                self._looking = True
                threading.Thread(target=self._look, name="database-waits", daemon=True).start()
        try:
            yield
        except psycopg2.Error as error:
            # before it is closed: its descriptor may be somebody else's then
            self._over(connection)
            if ended or not connection.given_up:
                raise
            connection.close()
            raise NoAnswer(f"The server did not answer within {self.seconds:g} s.") from error
        finally:
            self._over(connection)

    def _over(self, connection: "PatientConnection") -> None:
        with self._lock:
            self._waiting.pop(connection, None)

    def _look(self) -> None:
        idle_since = time.monotonic()
        pause = threading.Event()  # never set
        while not pause.wait(LOOK_SECONDS):
            now = time.monotonic()
            # within the lock: a connection that is waited for is not closed meanwhile
            with self._lock:
                for connection, until in self._waiting.items():
                    if now >= until and not connection.given_up:
                        connection.give_up()
                if self._waiting:
                    idle_since = now
                elif now - idle_since > IDLE_SECONDS:
                    self._looking = False
                    return

    def _connect(
        self, dialect: Any, _record: object, arguments: list[Any], options: dict[str, Any]
    ) -> Connection:
        first, began = self._trial.acquire(blocking=False), time.monotonic()
        try:
            if self._try_again is not None and (began < self._try_again or not first):
                raise NoAnswer("The server does not answer.")
            made = self._connected(dialect, arguments, options)
            self._try_again = None
            return made
        except psycopg2.OperationalError:
            if time.monotonic() - began > REFUSAL_SECONDS:
                self._hangs()
            raise
        finally:
            if first:
                self._trial.release()

    def _connected(
        self, dialect: Any, arguments: list[Any], options: dict[str, Any]
    ) -> "PatientConnection":
        seconds = min(math.ceil(self.seconds), int(options.get("connect_timeout", CONNECT_SECONDS)))
        made: PatientConnection = dialect.connect(
            *arguments,
            **options | {"connect_timeout": seconds},
            connection_factory=partial(PatientConnection, self),
        )
        # a proxy takes connections for a server that hangs; nobody is that unhurried
        Context().run(dialect.do_ping, made)
        return made

    def _failed(self, context: sa.ExceptionContext) -> None:
        # a statement may be slow by itself; this one is not
        if context.is_pre_ping and isinstance(context.original_exception, NoAnswer):
            self._hangs()

    def _hangs(self) -> None:
        self._try_again = time.monotonic() + REST_SECONDS


class PatientConnection(Connection):
    """A connection of the driver that is ended when its server is silent.

    Args:
        patience: knows how long.
        dsn, options: as the driver gives them.

    Attributes:
        given_up: whether it was ended.
    """

    def __init__(self, patience: Patience, dsn: str, **options: Any) -> None:
        super().__init__(dsn, **options)
        self.cursor_factory = PatientCursor
        self.patience = patience
        self.given_up = False
        # a descriptor of our own: the driver's may be closed, and be somebody else's, at any moment
        self._descriptor = os.dup(self.fileno())
        self._closed = weakref.finalize(self, os.close, self._descriptor)

    def give_up(self) -> None:
        """Let whoever waits for the server find that the connection has ended; from any thread."""
        self.given_up = True
        with (
            suppress(OSError),  # it has ended by itself
            socket.socket(fileno=os.dup(self._descriptor)) as shared,
        ):
            shared.shutdown(socket.SHUT_RDWR)

    def commit(self) -> None:
        """As the driver's."""
        with self.patience.waiting(self):
            super().commit()

    def rollback(self) -> None:
        """As the driver's."""
        with self.patience.waiting(self):
            super().rollback()

    def close(self) -> None:
        """As the driver's."""
        self._closed()
        super().close()


class PatientCursor(Cursor):
    """A cursor of such a connection; one with a name asks the server for its rows, too."""

    connection: PatientConnection

    def execute(self, *arguments: Any) -> None:
        """As the driver's."""
        with self.connection.patience.waiting(self.connection):
            super().execute(*arguments)

    def executemany(self, *arguments: Any) -> None:
        """As the driver's."""
        with self.connection.patience.waiting(self.connection):
            super().executemany(*arguments)

    def fetchone(self) -> tuple[Any, ...] | None:
        """As the driver's."""
        with self._fetching():
            return super().fetchone()

    def fetchmany(self, *arguments: Any) -> list[tuple[Any, ...]]:
        """As the driver's."""
        with self._fetching():
            return super().fetchmany(*arguments)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """As the driver's."""
        with self._fetching():
            return super().fetchall()

    def _fetching(self) -> AbstractContextManager[None]:
        return self.connection.patience.waiting(self.connection) if self.name else nullcontext()
