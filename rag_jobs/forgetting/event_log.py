"""Erasing a document from what Dagster keeps: events, runs, ticks and the logs of steps.

Events hold no text of documents (tests/jobs/test_event_log.py holds us to that). Those of older
versions may, and an error message may repeat what it failed on. Runs and events stay, readable in
the UI; where a phrase stood, they say that something was forgotten.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from evals.golden_questions.erasure import phrases_of
from rag_assets.erasure.base import Erased, Found, Subject
from rag_assets.erasure.redaction import Redaction
from rag_assets.erasure.rewriting import (
    POSTGRES_KEPT,
    count_rows,
    count_traces,
    purge,
    redact_tables,
    secure,
    text_columns,
)
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.platform.storage import LocalStorage
from rag_assets.platform.wording import counted

SQLITE = b"SQLite format 3\x00"
BUSY_SECONDS = 30
# what belongs to a SQLite file, and goes with it
SQLITE_SIDE_FILES = ("-wal", "-shm", "-journal")


@dataclass(frozen=True)
class _Database:
    """A database of Dagster's, and its tables that hold texts."""

    engine: sa.Engine
    tables: Sequence[sa.Table]


class EventLogEraser:
    """Takes the phrases of a document out of Dagster's databases and files."""

    place = "Dagster events"

    def find(self, platform: Platform, subject: Subject) -> Found:
        """Count the rows and files that repeat the document."""
        redaction, traces, rows, databases = phrases_of(subject), 0, 0, 0
        for database in _databases(platform.settings):
            with database.engine.connect() as connection:
                traces += count_traces(connection, database.tables, redaction)
                rows += count_rows(connection, database.tables)
            databases += 1
        files = _text_files(platform.settings.dagster_home)
        traces += sum(_cleaned(path, redaction) is not None for path in files)
        searched = (
            f"{counted(rows, 'row')} of {counted(databases, 'database')}, "
            f"{counted(len(files), 'file')}"
        )
        return Found(searched, traces)

    def erase(self, platform: Platform, subject: Subject) -> Erased:
        """Replace every phrase, then take the former bytes out of the databases."""
        redaction, removed, kept = phrases_of(subject), 0, set()
        for database in _databases(platform.settings):
            with database.engine.begin() as connection:
                secure(connection)
                removed += redact_tables(connection, database.tables, redaction)
            purge(database.engine, database.tables)
            if database.engine.dialect.name == "postgresql":
                kept.add(POSTGRES_KEPT)
        for path in _text_files(platform.settings.dagster_home):
            content = _cleaned(path, redaction)
            if content is not None:
                removed += 1
                LocalStorage(path.parent).write(path.name, content)
        return Erased(removed, tuple(sorted(kept)))


def _databases(settings: Settings) -> Iterator[_Database]:
    """Dagster's databases: SQLite files under its home, and servers that ``dagster.yaml`` names."""
    home = settings.dagster_home
    if not home.is_dir():
        return
    paths = set(home.resolve().rglob("*.db"))
    if (home / "dagster.yaml").exists():
        servers, elsewhere = _configured(settings)
        yield from servers
        paths |= elsewhere
    for path in sorted(paths):
        if _is_sqlite(path):
            engine = sa.create_engine(
                f"sqlite:///{path}", poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS}
            )
            yield _Database(engine, _tables(engine, sa.MetaData(), reflect=True))


def _configured(settings: Settings) -> tuple[list[_Database], set[Path]]:
    """The servers that the instance uses, and its SQLite files wherever they are."""
    from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata
    from dagster._core.storage.runs.schema import RunStorageSqlMetadata
    from dagster._core.storage.schedules.schema import ScheduleStorageSqlMetadata

    from rag_jobs.instance import open_instance

    instance = open_instance(settings)
    storages = (
        (instance.event_log_storage, "index_connection", SqlEventLogStorageMetadata),
        (instance.run_storage, "connect", RunStorageSqlMetadata),
        (instance.schedule_storage, "connect", ScheduleStorageSqlMetadata),
    )
    servers, files = list[_Database](), set[Path]()
    for storage, connect, metadata in storages:
        if not hasattr(storage, connect):  # e.g. in memory
            continue
        with ExitStack() as stack:
            engine = stack.enter_context(getattr(storage, connect)()).engine
        if engine.dialect.name == "sqlite":
            file = Path(str(engine.url.database)).resolve()
            # every run has a file of its own beside the index of events
            files |= set(file.parent.glob("*.db")) if connect == "index_connection" else {file}
        else:
            # Dagster's own connections commit every statement; an erasure is one transaction
            whole = engine.execution_options(isolation_level="READ COMMITTED")
            servers.append(_Database(whole, _tables(whole, metadata, reflect=False)))
    return servers, files


def _tables(engine: sa.Engine, metadata: sa.MetaData, *, reflect: bool) -> list[sa.Table]:
    """The tables with texts that are there."""
    if reflect:
        metadata.reflect(engine)
    there = set(sa.inspect(engine).get_table_names())
    found = [table for table in metadata.sorted_tables if table.name in there]
    return [table for table in found if text_columns(table)]


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(SQLITE)) == SQLITE


def _text_files(home: Path) -> list[Path]:
    """Every file that is no database: the logs of steps, settings, what else lies there."""
    return sorted(
        path
        for path in home.rglob("*")
        if path.is_file()
        and not path.name.endswith(tuple(f".db{end}" for end in ("", *SQLITE_SIDE_FILES)))
    )


def _cleaned(path: Path, redaction: Redaction) -> bytes | None:
    """What a file is to hold; None where it holds no phrase, nothing where it is no text."""
    data = path.read_bytes()
    try:
        text = data.decode()
    except UnicodeDecodeError:
        # a pickled value of a step: it can be made again, and cannot be edited
        return b"" if redaction.has(data.decode("utf-8", "ignore")) else None
    lines = text.splitlines(keepends=True)
    by_line = "".join(_with_end(lines, redaction))
    # a phrase may go over the end of a line
    clean = redaction.text(by_line)
    return None if clean == text else clean.encode()


def _with_end(lines: Sequence[str], redaction: Redaction) -> Iterator[str]:
    bodies = [line.rstrip("\r\n") for line in lines]
    for line, body, new in zip(lines, bodies, redaction.values(bodies), strict=True):
        yield new + line[len(body) :]
