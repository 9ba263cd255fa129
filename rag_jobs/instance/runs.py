"""Runs and partitions of the instance, as the command line keeps them."""

import dagster as dg
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

CLI_TAG = "ragline/started_by"
CLI_VALUE = "ragline ingest"


def close_orphans(instance: DagsterInstance) -> int:
    """Mark runs as failed whose ``ragline ingest`` process was killed.

    Only call it while holding the ingest lock: then no such run can still be at work.
    """
    unfinished = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.NOT_STARTED]
    runs = instance.get_runs(RunsFilter(statuses=unfinished, tags={CLI_TAG: CLI_VALUE}))
    for run in runs:
        instance.report_run_failed(run, "The process that executed this run was killed.")
    return len(runs)


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
