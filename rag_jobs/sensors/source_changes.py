"""The sensor ``source_changes``: from a changed source to a release, without a person.

Every tick compares what there should be with what there is, and asks for the runs that are missing;
it remembers nothing. Whatever was lost (a run, a tick, a daemon) is therefore asked for again.
"""

import time
from functools import partial

import dagster as dg
from dagster import DagsterInstance, RunsFilter
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from rag_assets.platform.dagster_bridge import SETTLE_TAG, SOURCE_SHARDS
from rag_assets.platform.errors import AlreadyRunning, ConfigurationError
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.raw_documents.sources import partition_keys
from rag_jobs.instance import CLI_TAG, CLI_VALUE, close_orphans
from rag_jobs.jobs import ingest_job, promote_job, refresh_job
from rag_jobs.pending import Pending, find_pending
from rag_jobs.release_due import release_digest
from rag_jobs.retired import drop_shard

from .decision import Decision, Request, Rules, decide, described
from .flight import ATTEMPT_TAG, DIGEST_TAG, Flight, earlier_runs, in_flight
from .looking import look_repeatedly

INGEST_LOCK = "ingest"
PRIORITY_TAG = "dagster/priority"
LOOKING = "looking for runs of a process that is gone"


def source_changes_sensor(settings: Settings) -> dg.SensorDefinition:
    """Build the sensor for a deployment's settings; the jobs that it starts come with it."""

    @dg.sensor(
        name="source_changes",
        jobs=[ingest_job, promote_job(settings), refresh_job(settings)],
        minimum_interval_seconds=settings.orchestration.sensor_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Brings what has changed in the sources into the index, and releases it.",
    )
    def source_changes(
        context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]
    ) -> dg.SensorResult | dg.SkipReason:
        try:
            # the file of settings may have been edited since this process began
            current = platform.renewed()
            result = look_repeatedly(
                lambda: tick(current, context.instance),
                current.settings.orchestration.sensor_seconds,
            )
            if result.run_requests:
                # while the runs queue and start; the runs of this code server will find it
                platform.contract_server.start()
            return result
        except ConfigurationError as error:
            return dg.SkipReason(str(error))

    return source_changes


def tick(platform: Platform, instance: DagsterInstance) -> dg.SensorResult:
    """One look at sources, index, releases and runs.

    Args:
        platform: the deployment.
        instance: where the runs are recorded.

    Raises:
        ConfigurationError: no source is configured.
        StorageError: a table cannot be read.
    """
    section = platform.settings.orchestration
    _close_orphans(platform, instance)
    # first what is at work: a run that ends meanwhile has written what is compared afterwards
    flight = in_flight(instance)
    pending = find_pending(platform, settle_seconds=section.settle_seconds)
    dropped = _drop_retired(platform, pending, flight)
    partitions = _partition_requests(platform, instance, pending, dropped)
    decision = _decide(platform, instance, pending, flight)
    if dropped:
        decision = Decision(decision.requests, (*decision.reasons, *dropped.values()))
    holder = platform.holder(INGEST_LOCK) if decision.requests else ""
    if decision.requests and not holder:
        return dg.SensorResult(
            run_requests=[_run_request(item, platform) for item in decision.requests],
            dynamic_partitions_requests=partitions,
        )
    reasons = (holder, *decision.reasons) if holder else decision.reasons
    return dg.SensorResult(
        skip_reason=described(pending, reasons), dynamic_partitions_requests=partitions
    )


def _decide(
    platform: Platform, instance: DagsterInstance, pending: Pending, flight: Flight
) -> Decision:
    section = platform.settings.orchestration
    rules = Rules(time.time(), section.retry_seconds, section.executor == "in_process")
    return decide(
        pending,
        flight,
        partial(earlier_runs, instance),
        partial(release_digest, platform),
        rules,
    )


def _run_request(request: Request, platform: Platform) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=request.run_key,
        job_name=request.job,
        partition_key=request.partition or None,
        tags={
            DIGEST_TAG: request.digest,
            ATTEMPT_TAG: str(request.attempt),
            SETTLE_TAG: str(platform.settings.orchestration.settle_seconds),
            "ragline/why": request.why,
            # before evaluations and the dashboard, when runs have to queue
            PRIORITY_TAG: "1",
        },
    )


def _drop_retired(platform: Platform, pending: Pending, flight: Flight) -> dict[str, str]:
    """Drop shards that are no longer configured and have been emptied; tells what was done."""
    done: dict[str, str] = {}
    for shard in pending.emptied:
        if shard.partition in flight.shards:
            continue
        try:
            drop_shard(platform, shard.partition)
        except AlreadyRunning:
            continue  # at the next tick
        done[shard.partition] = f"'{shard.partition}' is no longer configured and was dropped"
    return done


def _partition_requests(
    platform: Platform, instance: DagsterInstance, pending: Pending, dropped: dict[str, str]
) -> list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest]:
    """What makes Dagster's partitions those of the configuration, and those still to be emptied."""
    assert SOURCE_SHARDS.name is not None
    retired = [shard.partition for shard in pending.shards if shard.retired]
    wanted = [*partition_keys(platform.settings), *retired]
    wanted = [name for name in wanted if name not in dropped]
    present = instance.get_dynamic_partitions(SOURCE_SHARDS.name)
    requests: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    if missing := [name for name in wanted if name not in set(present)]:
        requests.append(SOURCE_SHARDS.build_add_request(missing))
    if gone := [name for name in present if name not in set(wanted)]:
        requests.append(SOURCE_SHARDS.build_delete_request(gone))
    return requests


def _close_orphans(platform: Platform, instance: DagsterInstance) -> None:
    """Runs of a ``ragline ingest`` that was killed do not keep their shards waiting for ever."""
    filters = RunsFilter(statuses=list(NOT_FINISHED_STATUSES), tags={CLI_TAG: CLI_VALUE})
    if not instance.get_runs(filters, limit=1):
        return
    try:
        with platform.lock(INGEST_LOCK, doing=LOOKING):
            close_orphans(instance)
    except AlreadyRunning:
        return  # they are at work
