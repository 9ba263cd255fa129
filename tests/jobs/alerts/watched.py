"""What the daemon of these tests serves: the sensor of failed runs and nothing else."""

import dagster as dg

from rag_assets.platform.dagster_bridge import PLATFORM
from rag_assets.platform.platform import Platform
from rag_jobs.sensors import sensors


@dg.job
def nothing() -> None:
    """A repository needs something to hold."""


_platform = Platform.load()
defs = dg.Definitions(
    jobs=[nothing],
    sensors=[item for item in sensors(_platform.settings) if item.name == "run_failure"],
    resources={PLATFORM: _platform},
)
