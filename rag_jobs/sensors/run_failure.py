"""The sensor ``run_failure``: a run that failed for good becomes one alert."""

from collections.abc import Iterator

import dagster as dg
from dagster import DagsterEventType, DagsterRun, DagsterRunStatus, RunsFilter

from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.releases.registry import Registry, Release
from rag_jobs.alerts import Alert, rejected_release, run_link, send_alert

PARTITION_TAG = "dagster/partition"
# the daemon sets it when it will start the run again by itself
WILL_RETRY_TAG = "dagster/will_retry"
BACKFILL_TAG = "dagster/backfill"
ASSET_JOB = "__ASSET_JOB"


def run_failure_sensor(settings: Settings) -> dg.SensorDefinition:
    """Build the sensor for a deployment's settings."""

    @dg.run_failure_sensor(
        name="run_failure",
        minimum_interval_seconds=settings.orchestration.sensor_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends an alert when a run has failed and is not started again by itself.",
        # runs of the command line belong to no code location
        monitor_all_code_locations=True,
    )
    def sensor(context: dg.RunFailureSensorContext, platform: dg.ResourceParam[Platform]) -> None:
        # a value would end the tick, and the next failure would wait for the next one
        context.log.info(tell_of(platform, context.instance, context.dagster_run))

    return sensor


def tell_of(platform: Platform, instance: dg.DagsterInstance, run: DagsterRun) -> str:
    """Send the alert of a failed run, unless it is started again; what was done, for the log."""
    if run.tags.get(WILL_RETRY_TAG) == "true":
        return f"run {run.run_id} is started again: no alert yet"
    deliveries = send_alert(platform, alert_of(platform, instance, run))
    told = ", ".join(f"{item.channel} {item.status}" for item in deliveries)
    return f"run {run.run_id} failed: {told or 'no channel is configured'}"


def alert_of(platform: Platform, instance: dg.DagsterInstance, run: DagsterRun) -> Alert:
    """What is to be said of a failed run: the release that it rejected, or where it failed."""
    rejected = rejected_by(platform, run.run_id)
    if rejected is not None:
        return rejected_release(platform.settings, rejected)
    partition = run.tags.get(PARTITION_TAG, "")
    what = "a run of assets" if run.job_name == ASSET_JOB else f"'{run.job_name}'"
    reasons = list(_reasons(instance, run))
    fields: dict[str, str | int | float] = {"run": run.run_id}
    for name, value in (("partition", partition), ("backfill", run.tags.get(BACKFILL_TAG, ""))):
        if value:
            fields[name] = value
    return Alert(
        kind="run_failed",
        title=f"{what[0].upper()}{what[1:]}{f' of {partition}' if partition else ''} failed",
        text="\n".join(reasons) or "Its process ended before it could say why.",
        key=":".join(
            # the same failure is reported once until the job has succeeded again
            ("run_failed", run.job_name, partition, *reasons, _last_success(instance, run))
        ),
        fields=fields,
        links={"Run": run_link(platform.settings, run.run_id)},
    )


def rejected_by(platform: Platform, run_id: str) -> Release | None:
    """The release that a run made and rejected."""
    releases = Registry(platform.database).all()
    found = (item for item in releases if item.run_id == run_id and item.status == "rejected")
    return next(found, None)


def _reasons(instance: dg.DagsterInstance, run: DagsterRun) -> Iterator[str]:
    """Where a run failed and why, in words that were written for people.

    The message of any other error may repeat the document that it failed on: its kind is named.
    """
    checks = instance.get_records_for_run(
        run.run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION
    ).records
    for record in checks:
        event = record.event_log_entry.dagster_event
        found = event.asset_check_evaluation_data if event else None
        if found and not found.passed and found.severity == dg.AssetCheckSeverity.ERROR:
            yield f"The check {found.asset_key.to_user_string()}.{found.check_name} does not hold."
    failures = instance.get_records_for_run(
        run.run_id, of_type=DagsterEventType.STEP_FAILURE
    ).records
    for record in failures:
        event = record.event_log_entry.dagster_event
        if event is None:
            continue
        data, step = event.step_failure_data, event.step_key
        if data.user_failure_data is not None and data.user_failure_data.description:
            yield f"{step}: {data.user_failure_data.description}"
            continue
        error = data.error
        while error is not None and error.cause is not None:
            error = error.cause
        if error is not None and error.cls_name != "DagsterAssetCheckFailedError":
            yield f"{step}: {error.cls_name}; see the run for more."


def _last_success(instance: dg.DagsterInstance, run: DagsterRun) -> str:
    """The last run of the same job and partition that succeeded."""
    tags = {PARTITION_TAG: run.tags[PARTITION_TAG]} if PARTITION_TAG in run.tags else {}
    filters = RunsFilter(job_name=run.job_name, tags=tags, statuses=[DagsterRunStatus.SUCCESS])
    return next((found.run_id for found in instance.get_runs(filters, limit=1)), "")
