"""The definitions of a deployment whose stages a test can hold in mid-step.

A stage that finds its name in the folder ``RAGLINE_TEST_HOLD`` says which process it is, in
``<stage>.reached``, and waits until the name is gone. Sensors and schedules are left out, but for
one of each that only ticks: a test starts what it wants.
"""

import os
import time
from pathlib import Path

import dagster as dg

from rag_assets.platform.platform import Platform
from rag_assets.platform.stage import Report
from rag_jobs.assembly import build_definitions
from rag_jobs.jobs import ingest_job, promote_job

LIMIT_SECONDS = 300


def hold(report: Report) -> None:
    """Wait while a test wants this stage to wait."""
    place = Path(os.environ["RAGLINE_TEST_HOLD"]) / report.stage
    if not place.exists():
        return
    reached = place.with_name(f"{report.stage}.{report.partition}.reached")
    reached.write_text(str(os.getpid()))
    limit = time.monotonic() + LIMIT_SECONDS
    while place.exists():
        if time.monotonic() > limit:
            raise TimeoutError(f"nobody let {report.stage} go on")
        time.sleep(0.05)


@dg.sensor(
    name="ticking", minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING
)
def ticking(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Counts its ticks in its cursor."""
    count = int(context.cursor or "0") + 1
    return dg.SensorResult(skip_reason=f"tick {count}", cursor=str(count))


@dg.schedule(
    "* * * * *",
    name="every_minute",
    job_name="verify",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def every_minute(_: dg.ScheduleEvaluationContext) -> dg.SkipReason:
    """Does nothing, every minute."""
    return dg.SkipReason("nothing to do")


def make() -> dg.Definitions:
    """The same assets, checks, jobs, resources and executor."""
    platform = Platform.load()
    platform.report = hold
    full = build_definitions(platform)
    return dg.Definitions(
        assets=full.assets,
        asset_checks=full.asset_checks,
        # where sensors start them, these come with the sensors
        jobs=[*(full.jobs or []), ingest_job, promote_job(platform.settings)],
        sensors=[ticking],
        schedules=[every_minute],
        resources=full.resources,
        executor=full.executor,
    )


defs = make()
