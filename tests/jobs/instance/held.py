"""The definitions of a deployment whose stages a test can hold in mid-step.

A stage that finds its name in the folder ``RAGLINE_TEST_HOLD`` says which process it is, in
``<stage>.reached``, and waits until the name is gone. Sensors and schedules are left out: a test
starts what it wants.
"""

import os
import time
from pathlib import Path

import dagster as dg

from rag_assets.platform.platform import Platform
from rag_assets.platform.stage import Report
from rag_jobs.definitions import build_definitions

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


def make() -> dg.Definitions:
    """The same assets, checks, jobs, resources and executor."""
    platform = Platform.load()
    platform.report = hold
    full = build_definitions(platform)
    return dg.Definitions(
        assets=full.assets,
        asset_checks=full.asset_checks,
        jobs=full.jobs,
        resources=full.resources,
        executor=full.executor,
    )


defs = make()
