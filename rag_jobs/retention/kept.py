"""Which runs stay however old they are: what Dagster knows of an asset is read from their events.

Dagster keeps no state of assets and partitions apart from the event log: whether a partition is
there, whether it is up to date or failed, and what a check last said, is the newest event of its kind.
"""

import sqlalchemy as sa
from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus, RunsFilter

from rag_assets.platform.platform import Platform
from rag_assets.releases.registry import Registry

UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]
# the newest of each, for every asset and partition, says what the UI shows of it
STATE_EVENTS = (
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    DagsterEventType.ASSET_OBSERVATION,
    DagsterEventType.ASSET_FAILED_TO_MATERIALIZE,
    DagsterEventType.FRESHNESS_STATE_CHANGE,
)


def newest_events() -> sa.Select[tuple[int]]:
    """Select the ids of the newest events of each kind, by asset and partition."""
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as Events

    return (
        sa.select(sa.func.max(Events.c.id))
        .where(
            Events.c.asset_key.is_not(None),
            Events.c.dagster_event_type.in_([kind.value for kind in STATE_EVENTS]),
        )
        .group_by(Events.c.asset_key, Events.c.partition, Events.c.dagster_event_type)
    )


def newest_checks() -> sa.Select[tuple[int]]:
    """Select the ids of the newest executions of every check, by partition."""
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable as Checks

    # the newest that has ended, besides the newest: a run that was killed says nothing
    ended = Checks.c.execution_status.in_(("SUCCEEDED", "FAILED"))
    return sa.select(sa.func.max(Checks.c.id)).group_by(
        Checks.c.asset_key, Checks.c.check_name, Checks.c.partition, ended
    )


def runs_to_keep(platform: Platform, instance: DagsterInstance) -> set[str]:
    """The runs that hold the newest events, those of readable releases, and those at work."""
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable as Checks
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as Events

    queries = (
        sa.select(Events.c.run_id).where(Events.c.id.in_(newest_events())),
        sa.select(Checks.c.run_id).where(Checks.c.id.in_(newest_checks())),
        # SQLite gives the id of the last row again when that is removed: sensors, which remember
        # how far they have looked by the id, would take what is new for old
        sa.select(Events.c.run_id).order_by(Events.c.id.desc()).limit(1),
    )
    kept = {release.run_id for release in Registry(platform.database).all() if release.readable}
    kept |= {run.run_id for run in instance.get_runs(RunsFilter(statuses=UNFINISHED))}
    with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        for query in queries:
            kept |= set(connection.execute(query).scalars())
    return kept - {"", None}
