"""How much space Dagster's records take, and giving back what became free."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import sqlalchemy as sa
from dagster import DagsterInstance
from sqlalchemy.exc import OperationalError

# a database is written anew when so much of it is free
FREE_SHARE = 0.1

logger = logging.getLogger(__name__)


def occupied_bytes(instance: DagsterInstance) -> int:
    """The bytes of Dagster's databases and of the files under its storage folder."""
    places, total = {Path(instance.storage_directory())}, 0
    for engine in _engines(instance):
        if engine.dialect.name == "sqlite":
            places.add(Path(str(engine.url.database)).parent)
        else:
            with engine.connect() as connection:
                total += connection.execute(
                    sa.text("SELECT pg_database_size(current_database())")
                ).scalar_one()
            break  # all three storages share a database
    roots = {path.resolve() for path in places if path.is_dir()}
    outermost = [path for path in roots if not roots & set(path.parents)]
    return total + sum(
        path.stat().st_size for root in outermost for path in root.rglob("*") if path.is_file()
    )


def shrink(instance: DagsterInstance) -> None:
    """Give the space of removed rows back to the file system, or to new rows.

    SQLite writes a file anew, which waits for nobody: a database that is in use is left for the next
    time, and meanwhile fills its gaps. PostgreSQL only marks the space as free: to give it back it
    would have to lock the tables that all runs write to.
    """
    seen = set[str]()
    for engine in _engines(instance):
        name = engine.url.render_as_string()
        if name in seen:
            continue
        seen.add(name)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            try:
                _shrink(connection)
            except OperationalError as error:
                logger.warning("The space of %s is given back later: %s", name, error.orig)


def _shrink(connection: sa.Connection) -> None:
    if connection.dialect.name != "sqlite":
        connection.execute(sa.text("VACUUM (ANALYZE)"))
        return
    pages = connection.execute(sa.text("PRAGMA page_count")).scalar_one()
    free = connection.execute(sa.text("PRAGMA freelist_count")).scalar_one()
    if free > pages * FREE_SHARE:
        connection.execute(sa.text("VACUUM"))
        connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))


def _engines(instance: DagsterInstance) -> Iterator[sa.Engine]:
    """The databases of events, runs and ticks."""
    storages = (
        (instance.event_log_storage, "index_connection"),
        (instance.run_storage, "connect"),
        (instance.schedule_storage, "connect"),
    )
    for storage, connect in storages:
        if hasattr(storage, connect):  # not in memory
            with ExitStack() as stack:
                engine: sa.Engine = stack.enter_context(getattr(storage, connect)()).engine
            yield engine
