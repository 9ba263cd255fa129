"""Runs and partitions of the instance, as the command line keeps them."""

import os
import socket

import dagster as dg
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

CLI_TAG = "ragline/started_by"
CLI_VALUE = "ragline ingest"
# host and number of the process that executes a run of the command line
PROCESS_TAG = "ragline/process"


def cli_tags() -> dict[str, str]:
    """The tags of a run that this process executes itself."""
    return {CLI_TAG: CLI_VALUE, PROCESS_TAG: f"{socket.gethostname()}/{os.getpid()}"}


def close_orphans(instance: DagsterInstance) -> int:
    """Mark runs as failed whose ``ragline ingest`` process was killed.

    Only call it while holding the ingest lock: then no such run can still be at work.
    """
    unfinished = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.NOT_STARTED]
    runs = instance.get_runs(RunsFilter(statuses=unfinished, tags={CLI_TAG: CLI_VALUE}))
    for run in runs:
        instance.report_run_failed(run, "The process that executed this run was killed.")
    _free_slots(instance)
    return len(runs)


def _free_slots(instance: DagsterInstance) -> None:
    """Give back what runs of the command line hold of pools though they have ended.

    A daemon does this too; where none runs, the next ingest would wait for ever.
    """
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits:
        return
    for run_id in storage.get_concurrency_run_ids():
        run = instance.get_run_by_id(run_id)
        if run is None or (run.is_finished and run.tags.get(CLI_TAG) == CLI_VALUE):
            storage.free_concurrency_slots_for_run(run_id)


def sync_partitions(
    instance: DagsterInstance, definition: dg.DynamicPartitionsDefinition, wanted: list[str]
) -> None:
    """Make the dynamic partitions exactly ``wanted``."""
    assert definition.name is not None
    present = set(instance.get_dynamic_partitions(definition.name))
    missing = [key for key in wanted if key not in present]
    if missing:
        instance.add_dynamic_partitions(definition.name, missing)
    for key in present - set(wanted):
        instance.delete_dynamic_partition(definition.name, key)
