"""What Dagster's own deletion of a run leaves behind in its databases."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import sqlalchemy as sa
from dagster import DagsterInstance

from .kept import newest_checks, newest_events

BATCH = 500
BACKFILL_TAG = "dagster/backfill"
# events that no run reported: freshness, what a person reported in the UI
RUNLESS = ""
Item = TypeVar("Item")


def remove_checks(instance: DagsterInstance, run_ids: Sequence[str]) -> None:
    """Remove the executions of checks by runs that are gone, but the newest of each check."""
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable as Checks

    with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        newest = set(connection.execute(newest_checks()).scalars())
        for batch in _batches(run_ids):
            found = connection.execute(sa.select(Checks.c.id).where(Checks.c.run_id.in_(batch)))
            for ids in _batches([item for item in found.scalars() if item not in newest]):
                connection.execute(sa.delete(Checks).where(Checks.c.id.in_(ids)))


def remove_orphan_tags(instance: DagsterInstance) -> None:
    """Remove the tags of runs that are gone: SQLite does not do it by itself."""
    from dagster._core.storage.runs.schema import RunsTable as Runs
    from dagster._core.storage.runs.schema import RunTagsTable as Tags

    with instance.run_storage.connect() as connection:  # type: ignore[attr-defined]
        connection.execute(sa.delete(Tags).where(Tags.c.run_id.not_in(sa.select(Runs.c.run_id))))


def remove_backfills(instance: DagsterInstance, before: datetime) -> None:
    """Remove backfills that have ended and of which no run is left."""
    from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES
    from dagster._core.storage.runs.schema import BackfillTagsTable as BackfillTags
    from dagster._core.storage.runs.schema import BulkActionsTable as Backfills
    from dagster._core.storage.runs.schema import RunTagsTable as Tags

    ended = {status.value for status in BULK_ACTION_TERMINAL_STATUSES}
    used = sa.select(Tags.c.value).where(Tags.c.key == BACKFILL_TAG)
    query = sa.select(Backfills.c.key).where(
        Backfills.c.status.in_(ended),
        Backfills.c.timestamp < _naive(before),
        Backfills.c.key.not_in(used),
    )
    with instance.run_storage.connect() as connection:  # type: ignore[attr-defined]
        for keys in _batches(list(connection.execute(query).scalars())):
            connection.execute(sa.delete(BackfillTags).where(BackfillTags.c.backfill_id.in_(keys)))
            connection.execute(sa.delete(Backfills).where(Backfills.c.key.in_(keys)))


def remove_runless_events(instance: DagsterInstance, before: datetime) -> None:
    """Remove old events that belong to no run, but the newest of each kind and asset."""
    from dagster._core.storage.event_log.schema import AssetEventTagsTable as EventTags
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as Events

    old = (Events.c.run_id == RUNLESS, Events.c.timestamp < _naive(before))
    storage = instance.event_log_storage
    with storage.index_connection() as connection:  # type: ignore[attr-defined]
        last = connection.execute(sa.select(sa.func.max(Events.c.id))).scalar()
        newest = set(connection.execute(newest_events()).scalars()) | {last}
        found = connection.execute(sa.select(Events.c.id).where(*old)).scalars()
        for ids in _batches([item for item in found if item not in newest]):
            connection.execute(sa.delete(EventTags).where(EventTags.c.event_id.in_(ids)))
            connection.execute(sa.delete(Events).where(Events.c.id.in_(ids)))
    if storage.is_run_sharded:  # what is kept above is what is read; this is its copy
        with storage.run_connection(RUNLESS) as connection:  # type: ignore[attr-defined]
            connection.execute(sa.delete(Events).where(*old))


def _naive(moment: datetime) -> datetime:
    """A time as Dagster stores it: UTC, without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def _batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
