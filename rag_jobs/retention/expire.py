"""Removing runs, events, ticks and logs that are older than ``orchestration.keep_events_days``."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from rag_assets.platform.platform import Platform

from .files import remove_old_files, remove_run_files
from .kept import runs_to_keep
from .leftovers import remove_backfills, remove_checks, remove_orphan_tags, remove_runless_events
from .space import occupied_bytes, shrink

Progress = Callable[[int, int], None]
FINISHED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
PAGE = 500


@dataclass(frozen=True)
class Expired:
    """What was removed from Dagster's storage.

    Attributes:
        runs: with all their events and logs.
        kept: runs that are old and stay, because they say what is known of an asset or a release.
        bytes: what databases and files have become smaller by.
    """

    runs: int = 0
    kept: int = 0
    bytes: int = 0


def expire_records(
    platform: Platform,
    instance: DagsterInstance,
    now: datetime,
    progress: Progress = lambda done, total: None,
) -> Expired:
    """Remove what is old, and give its space back.

    It may be interrupted at any time: the next call goes on. What the UI and the sensors know of
    assets, partitions and checks stays as it is.

    Args:
        platform: the deployment.
        instance: its Dagster instance.
        now: with a time zone; what counts as old is reckoned from here.
        progress: told how many of the old runs are done.
    """
    if instance.is_ephemeral:  # it lives as long as this process
        return Expired()
    before = now - timedelta(days=platform.settings.orchestration.keep_events_days)
    size = occupied_bytes(instance)
    old = list(_old_runs(instance, before))
    kept = runs_to_keep(platform, instance)
    removed = [run_id for run_id in old if run_id not in kept]
    for done, run_id in enumerate(removed):
        progress(done, len(removed))
        instance.delete_run(run_id)
        remove_run_files(instance, run_id)
    remove_checks(instance, removed)
    remove_orphan_tags(instance)
    remove_backfills(instance, before)
    remove_runless_events(instance, before)
    _remove_ticks(instance, before)
    remove_old_files(instance, before)
    shrink(instance)
    progress(len(removed), len(removed))
    return Expired(len(removed), len(old) - len(removed), max(size - occupied_bytes(instance), 0))


def _old_runs(instance: DagsterInstance, before: datetime) -> Iterator[str]:
    """The ids of the runs that were made before a time and have ended, newest first."""
    filters, cursor = RunsFilter(created_before=before, statuses=FINISHED), None
    while page := instance.get_run_records(filters, limit=PAGE, cursor=cursor):
        for record in page:
            yield record.dagster_run.run_id
        cursor = page[-1].dagster_run.run_id


def _remove_ticks(instance: DagsterInstance, before: datetime) -> None:
    """Remove ticks that have ended; how far a sensor has looked is kept apart from them."""
    from dagster._core.scheduler.instigation import TickStatus

    ended = [status for status in TickStatus if status is not TickStatus.STARTED]
    for state in instance.all_instigator_state():
        instance.purge_ticks(
            state.instigator_origin_id, state.selector_id, before.timestamp(), ended
        )
    storage = instance.schedule_storage
    if storage is not None and storage.supports_auto_materialize_asset_evaluations:
        storage.purge_asset_evaluations(before.timestamp())
