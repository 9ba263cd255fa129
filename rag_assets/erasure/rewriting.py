"""Taking phrases out of the rows of database tables, and the old bytes out of the database's files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from rag_assets.platform.errors import StorageError

from .redaction import Redaction

BATCH = 1000
POSTGRES_KEPT = (
    "PostgreSQL's write-ahead log, its replicas and backups keep former rows for as long as they are "
    "set to; that is outside of this deployment."
)

Row = Mapping[str, Any]


def batches(
    connection: sa.Connection, query: sa.Select[Any], size: int = BATCH
) -> Iterator[list[dict[str, Any]]]:
    """The rows of a query, some at a time."""
    found = connection.execute(query.execution_options(yield_per=size))
    for part in found.mappings().partitions(size):
        yield [dict(row) for row in part]


def text_columns(table: sa.Table) -> list[sa.Column[Any]]:
    """The columns that may hold text or JSON."""
    return [column for column in table.columns if isinstance(column.type, sa.String | sa.JSON)]


def count_rows(connection: sa.Connection, tables: Iterable[sa.Table]) -> int:
    """The rows of some tables."""
    return sum(
        connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        for table in tables
    )


def count_traces(
    connection: sa.Connection, tables: Iterable[sa.Table], redaction: Redaction
) -> int:
    """The rows of some tables that hold a phrase."""
    return sum(
        redaction.count([list(row.values()) for row in rows])
        for table in tables
        if text_columns(table)
        for rows in batches(connection, sa.select(*text_columns(table)))
    )


def redact_tables(
    connection: sa.Connection, tables: Iterable[sa.Table], redaction: Redaction
) -> int:
    """Take the phrases out of every text and JSON column; how many rows were changed."""
    return sum(_redact(connection, table, redaction) for table in tables)


def _redact(connection: sa.Connection, table: sa.Table, redaction: Redaction) -> int:
    columns, key = text_columns(table), list(table.primary_key)
    if not columns:
        return 0
    names = [column.name for column in columns]
    changes: list[tuple[Row, dict[str, Any]]] = []
    wanted = list(dict.fromkeys([*key, *columns]))
    for rows in batches(connection, sa.select(*wanted)):
        found = redaction.values([[row[name] for name in names] for row in rows])
        for row, values in zip(rows, found, strict=True):
            cleaned = dict(zip(names, values, strict=True))
            changed = {name: value for name, value in cleaned.items() if value != row[name]}
            if changed:
                changes.append((row, changed))
    for before, new in changes:
        # a table without a key is told its row by the values that change
        where = [column == before[column.name] for column in key] or [
            table.c[name] == before[name] for name in new
        ]
        connection.execute(sa.update(table).where(*where).values(**new))
    return len(changes)


def secure(connection: sa.Connection) -> None:
    """Have SQLite overwrite what this connection deletes."""
    if connection.dialect.name == "sqlite":
        connection.execute(sa.text("PRAGMA secure_delete=ON"))


def purge(engine: sa.Engine, tables: Sequence[sa.Table]) -> None:
    """Take the bytes of deleted and former rows out of the database's files.

    SQLite writes the database anew and empties its log; PostgreSQL rewrites the tables. Both wait
    for readers.

    Raises:
        StorageError: somebody reads all the time.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.dialect.name != "sqlite":
            for table in tables:
                name = connection.dialect.identifier_preparer.format_table(table)
                connection.execute(sa.text(f"VACUUM FULL {name}"))
            return
        _checkpoint(connection)
        connection.execute(sa.text("VACUUM"))
        _checkpoint(connection)


def _checkpoint(connection: sa.Connection) -> None:
    busy = connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)")).scalar()
    if busy:
        raise StorageError(
            f"The database {connection.engine.url.database} is being read all the time, so that what was "
            "erased could not be taken out of its log.",
            "Run the command again; stop processes that keep it open if that does not help.",
        )
