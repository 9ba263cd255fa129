"""The platform database: releases, answers, evaluations, and what has to be forgotten.

SQLite under the state folder by default, PostgreSQL when ``database_url`` says so; one code path
(SQLAlchemy Core) and Alembic migrations, which run by themselves when a process meets an older
schema.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from .errors import DatabaseUnavailable, StorageError

SCHEMA_REVISION = "0005"
CONNECT_SECONDS = 10
BUSY_SECONDS = 30
# of SQLite's write-ahead log (4 KB each): how many there are before the answer log itself sees to them
LOG_PAGES = 4000
MIGRATIONS = Path(__file__).with_name("migrations")
# what is done now may take the database as long as it takes
UNHURRIED: ContextVar[bool] = ContextVar("UNHURRIED", default=False)


def open_database(url: str, state_path: Path) -> Engine:
    """Connect to the platform database and bring its schema up to date.

    Args:
        url: a SQLAlchemy URL; empty for SQLite under ``state_path``.
        state_path: the local state folder.

    Raises:
        DatabaseUnavailable: the database cannot be reached.
        StorageError: a newer version of Ragline wrote it.
    """
    if not url:
        state_path.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{state_path / 'platform.db'}"
    address, options = make_url(url), dict[str, int]()
    if address.get_backend_name() == "postgresql" and "connect_timeout" not in address.query:
        options["connect_timeout"] = CONNECT_SECONDS  # the driver itself waits for ever
    # a server may have ended a connection since; a file does not
    served = address.get_backend_name() != "sqlite"
    # the connection that was used last has its pages and statements at hand
    engine = create_engine(address, pool_pre_ping=served, pool_use_lifo=True, connect_args=options)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
    try:
        if _revision_in_time(engine, options) != SCHEMA_REVISION:
            migrate(engine)
    except SQLAlchemyError as error:
        raise DatabaseUnavailable(
            f"The platform database {engine.url.render_as_string(hide_password=True)} "
            f"cannot be used: {getattr(error, 'orig', None) or error}.",
            "Check that it runs and that RAG_DATABASE_URL is right.",
        ) from error
    return engine


def open_log_database(database: Engine) -> Engine:
    """Where many small entries are written that need not reach the disk one by one.

    PostgreSQL: the same engine. SQLite: one connection for all threads of the process. They queue for
    it in order, where SQLite would have them sleep and try again, and its commits do not wait for the
    disk: a killed process loses nothing, a power cut at most what came after the last commit of
    any other connection. Those also move what was written from SQLite's log into its file, as a rule,
    while nobody waits for an answer.

    Args:
        database: from ``open_database``.
    """
    if database.dialect.name != "sqlite":
        return database
    engine = create_engine(database.url, pool_size=1, max_overflow=0, pool_timeout=BUSY_SECONDS)
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "connect", _flush_later)
    return engine


def limit_waits(engine: Engine, seconds: float) -> None:
    """Let nobody wait longer for the database: for processes whose callers wait.

    A statement that is not answered in time ends its connection and raises SQLAlchemy's
    ``OperationalError``, as one does whose server has gone. SQLite has a limit of its own.

    Args:
        engine: from ``open_database``.
        seconds: the longest wait for the answer to one statement, and for a connection.
    """
    if engine.dialect.driver == "psycopg2":
        from .database_patience import Patience

        Patience(seconds).of(engine)


@contextmanager
def unhurried() -> Iterator[None]:
    """Inside of this, in this context, statements take as long as they take."""
    token = UNHURRIED.set(True)
    try:
        yield
    finally:
        UNHURRIED.reset(token)


def _revision_in_time(engine: Engine, options: dict[str, int]) -> str | None:
    """``current_revision`` of a server that answers; nothing is opened at one that hangs."""
    if engine.dialect.name == "sqlite":
        return current_revision(engine)
    # apart from the engine itself, whose statements may take long
    hasty = create_engine(engine.url, poolclass=NullPool, connect_args=options)
    limit_waits(hasty, CONNECT_SECONDS)
    return current_revision(hasty)


def current_revision(engine: Engine) -> str | None:
    """The schema revision of the database, or ``None`` for an empty one."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def migrate(engine: Engine, revision: str = "head") -> None:
    """Upgrade the schema with Alembic."""
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    # two processes may meet a new database at the same time: the lock lets one of them migrate
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(text("BEGIN IMMEDIATE"))
        elif engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(7254113)"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, revision)
        except CommandError as error:
            raise StorageError(
                f"The platform database has a schema this version does not know ({error}).",
                "Install the version of Ragline that wrote it, or a newer one.",
            ) from error
        connection.commit()


def _configure_sqlite(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _flush_later(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")
    cursor.close()
