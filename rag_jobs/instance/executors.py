"""Where the steps of a run are executed: one setting, the same code.

Ingests and backfills go by the setting. Jobs that promote, evaluate, verify or clean up are a few
short steps that want what the one before has loaded: they stay in the process of their run.
"""

import importlib.util

import dagster as dg

from rag_assets.platform.errors import MissingExtra
from rag_assets.platform.settings import Settings

# what one run holds in memory is of use to its next step
small_job_executor = dg.in_process_executor


def make_executor(settings: Settings) -> dg.ExecutorDefinition:
    """The executor that ``orchestration.executor`` names.

    Raises:
        MissingExtra: the package for it is not installed.
    """
    section = settings.orchestration
    if section.executor == "multiprocess":
        return dg.multiprocess_executor.configured(
            # its own default is the number of processors, whatever else runs there
            {"max_concurrent": section.max_concurrent_steps, "retries": {"enabled": {}}},
            name="multiprocess",
        )
    if section.executor == "celery":
        _require("dagster_celery", "celery")
        from .celery_executor import make_celery_executor

        return make_celery_executor(settings)
    if section.executor == "kubernetes":
        _require("dagster_k8s", "kubernetes")
        from dagster_k8s import k8s_job_executor

        return k8s_job_executor.configured(
            {"max_concurrent": section.max_concurrent_steps, "retries": {"enabled": {}}},
            name="kubernetes",
        )
    return dg.in_process_executor


def _require(module: str, extra: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise MissingExtra(module.replace("_", "-"), extra)
