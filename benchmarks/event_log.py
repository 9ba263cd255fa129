"""How much Dagster records for an ingest, and what retention gives back: ``python -m benchmarks.event_log``.

For a source of 1 and of 16 shards: a first ingest, one document edited, and every shard run again
though nothing changed (what a backfill by mistake would do). Then everything counts as old, and
retention runs. Rows are those of Dagster's databases; bytes those of its folder, with the file that
SQLite has for every run.
"""

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from dagster import DagsterInstance
from rich.console import Console
from rich.table import Table

from rag_assets.platform.platform import Platform
from rag_jobs.ingest import ingest
from rag_jobs.instance import open_instance
from rag_jobs.retention import expire_records
from rag_jobs.retention.space import occupied_bytes

SHARDS = (1, 16)
DOCUMENTS = 32
LATER = timedelta(days=3650)


def main() -> None:
    """Print rows, bytes and runs by what was done."""
    parser = argparse.ArgumentParser(description="Growth of Dagster's records, and retention.")
    parser.add_argument("--models", default="", help="folder of an exported encoder, to save time")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    table = Table(
        *("shards", "what", "runs", "rows", "bytes", "seconds"), title="Dagster's records (SQLite)"
    )
    for shards in SHARDS:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), shards, options.models, table)
    Console().print(table)


def measure(folder: Path, shards: int, models: str, table: Table) -> None:
    """Add the lines of one number of shards."""
    documents = folder / "documents"
    documents.mkdir()
    for number in range(DOCUMENTS):
        (documents / f"{number}.md").write_text(
            f"# Lighthouse {number}\n\nBuilt in {1800 + number}."
        )
    (folder / "ragline.toml").write_text(
        f'[sources.docs]\npath = "documents"\nacl = ["public"]\nshards = {shards}\n'
        "[evaluation]\nknown_items = 0\n"
    )
    home = folder / ".ragline"
    home.mkdir()
    if models:
        (home / "models").symlink_to(Path(models).resolve(), target_is_directory=True)
    os.environ |= {
        "RAG_CONFIG": str(folder / "ragline.toml"),
        "RAG_HOME": str(home),
        "DAGSTER_HOME": str(home / "dagster"),
    }
    platform = Platform.load()

    def edit() -> None:
        (documents / "0.md").write_text(f"# Lighthouse 0\n\nBuilt anew in {time.time_ns()}.")
        ingest(platform)

    with open_instance(platform.settings) as instance:
        steps: list[tuple[str, Callable[[], object]]] = [
            ("first ingest", lambda: ingest(platform)),
            ("nothing to do", lambda: ingest(platform)),
            ("one document edited", edit),
            ("every shard again, unchanged", lambda: ingest(platform, full=True)),
            (
                "retention, all of it old",
                lambda: expire_records(platform, instance, datetime.now(UTC) + LATER),
            ),
        ]
        for name, step in steps:
            before, started = counted(instance), time.perf_counter()
            step()
            seconds = time.perf_counter() - started
            grown = [new - old for new, old in zip(counted(instance), before, strict=True)]
            cells = [f"{value:+,}" for value in grown]
            table.add_row(str(shards), name, *cells, f"{seconds:.1f}")
        table.add_row(str(shards), "left", *(f"{value:,}" for value in counted(instance)), "")


def counted(instance: DagsterInstance) -> tuple[int, int, int]:
    """Runs, rows of all databases, bytes."""
    root = Path(instance.root_directory)
    rows = 0
    for path in root.rglob("*.db"):
        engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.pool.NullPool)
        with engine.connect() as connection:
            for name in sa.inspect(connection).get_table_names():
                found = connection.execute(sa.text(f'SELECT count(*) FROM "{name}"')).scalar_one()
                rows += int(found)
    return instance.get_runs_count(), rows, occupied_bytes(instance)


if __name__ == "__main__":
    main()
