"""What Dagster is doing for the shards and the release at present, and what it has tried before."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from dagster import AssetKey, DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from rag_jobs.jobs import INGEST_ASSETS, INGEST_JOB, REFRESH_JOB, RELEASING_JOBS

PARTITION_TAG = "dagster/partition"
WILL_RETRY_TAG = "dagster/will_retry"
# what a run was asked for, and how often that had been asked before
DIGEST_TAG = "ragline/digest"
ATTEMPT_TAG = "ragline/attempt"
# a run that was made and not put into the queue within this time never will be
LOST_SECONDS = 120.0
LOOKED_AT = 30
LONGEST_WAIT_SECONDS = 3600.0


@dataclass(frozen=True)
class Flight:
    """What is at work.

    Attributes:
        shards: the run at work on a shard, by partition.
        release: the run that is about to release something; "" when there is none.
        backfill: a backfill of shards that has not finished; "" when there is none.
    """

    shards: Mapping[str, str] = field(default_factory=dict)
    release: str = ""
    backfill: str = ""

    @property
    def nothing(self) -> bool:
        """Whether nothing that concerns shards or release is at work."""
        return not (self.shards or self.release or self.backfill)


@dataclass(frozen=True)
class Earlier:
    """Earlier runs that were asked for the same.

    Attributes:
        attempts: how many there were.
        failures: how many of the last ones failed, one after the other.
        ended_at: when the last one ended; seconds since 1970.
    """

    attempts: int = 0
    failures: int = 0
    ended_at: float = 0.0

    def next_at(self, retry_seconds: float) -> float:
        """When the same may be asked for again: the wait doubles with every failure.

        A run that succeeded, and after which the same is pending all the same, is not repeated at
        once either: something undoes what it does.
        """
        if not self.attempts:
            return 0.0
        wait = retry_seconds * 2.0 ** min(max(self.failures - 1, 0), 32)
        return self.ended_at + min(wait, max(LONGEST_WAIT_SECONDS, retry_seconds))


def in_flight(instance: DagsterInstance) -> Flight:
    """What is at work on shards and release, whoever has started it."""
    shards: dict[str, str] = {}
    release = ""
    for record in instance.get_run_records(RunsFilter(statuses=list(NOT_FINISHED_STATUSES))):
        run = record.dagster_run
        if _is_lost(run, record.create_timestamp.timestamp()):
            continue
        partition = run.tags.get(PARTITION_TAG)
        if partition and _concerns_shards(run):
            shards[partition] = run.run_id
        if run.job_name in RELEASING_JOBS or AssetKey("release") in (run.asset_selection or ()):
            release = run.run_id
    return Flight(shards, release, _backfill(instance))


def earlier_runs(instance: DagsterInstance, digest: str) -> Earlier:
    """What became of the runs that were asked for the same before."""
    records = instance.get_run_records(RunsFilter(tags={DIGEST_TAG: digest}), limit=LOOKED_AT)
    if not records:
        return Earlier()
    attempts = max(int(item.dagster_run.tags.get(ATTEMPT_TAG, 0)) for item in records) + 1
    failures = 0
    for record in records:
        if record.dagster_run.status == DagsterRunStatus.SUCCESS:
            break
        failures += record.dagster_run.status in (
            DagsterRunStatus.FAILURE,
            DagsterRunStatus.CANCELED,
        )
    ended = max(item.end_time or item.update_timestamp.timestamp() for item in records)
    return Earlier(attempts, failures, ended)


def _concerns_shards(run: DagsterRun) -> bool:
    if run.job_name in (INGEST_JOB, REFRESH_JOB):
        return True
    chosen = run.asset_selection or frozenset()
    return any(AssetKey(name) in chosen for name in INGEST_ASSETS)


def _is_lost(run: DagsterRun, created: float) -> bool:
    return run.status == DagsterRunStatus.NOT_STARTED and time.time() - created > LOST_SECONDS


def _backfill(instance: DagsterInstance) -> str:
    filters = BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED])
    ingest = {AssetKey(name) for name in INGEST_ASSETS}
    for backfill in instance.get_backfills(filters=filters):
        if ingest & set(backfill.asset_selection or ()):
            return backfill.backfill_id
    return ""
