"""What ``dagster.yaml`` says: the Dagster instance, made from the settings of the deployment."""

from typing import Any

from rag_assets.platform.settings import Settings

# the variable that holds the address of Dagster's database: the file itself names no secret
DATABASE_VARIABLE = "RAGLINE_DAGSTER_DATABASE_URL"
# a queued run waits at most so long before somebody looks at it
DEQUEUE_SECONDS = 1
# what a killed run held is free again after so long; the retry of that run waits for it
FREE_SLOTS_SECONDS = 5
CANCEL_SECONDS = 120
# a pool that nobody gave a limit would let everything through
DEFAULT_POOL_LIMIT = 1
SENSOR_THREADS = 4
# a sensor that finds nothing says so at every look, tens of thousands of times a day
SKIPPED_TICK_DAYS = 1


def instance_configuration(settings: Settings) -> dict[str, Any]:
    """The contents of ``dagster.yaml``.

    Args:
        settings: the deployment's; only the section ``orchestration`` counts.

    Returns:
        A mapping in the order in which a person should read it. Secrets are named by their
        variable, never written out.
    """
    section = settings.orchestration
    skipped = {"purge_after_days": {"skipped": SKIPPED_TICK_DAYS}}
    threads = {"use_threads": True, "num_workers": SENSOR_THREADS}
    return {
        **_storage(settings),
        "run_coordinator": {
            "module": "dagster.core.run_coordinator",
            "class": "QueuedRunCoordinator",
            "config": {"dequeue_interval_seconds": DEQUEUE_SECONDS},
        },
        "concurrency": {
            "runs": {"max_concurrent_runs": section.max_concurrent_runs},
            # "run" would keep a whole run waiting for the pool of its last step
            "pools": {"default_limit": DEFAULT_POOL_LIMIT, "granularity": "op"},
        },
        "run_launcher": {
            "module": "rag_jobs.instance.run_launcher",
            "class": "WatchedRunLauncher",
            "config": {},
        },
        "run_monitoring": {
            "enabled": True,
            "start_timeout_seconds": section.start_timeout_seconds,
            "cancel_timeout_seconds": CANCEL_SECONDS,
            "poll_interval_seconds": section.monitor_seconds,
            "free_slots_after_run_end_seconds": FREE_SLOTS_SECONDS,
        },
        "run_retries": {
            "enabled": section.run_retries > 0,
            "max_retries": section.run_retries,
            # what fails by itself would fail again: that is for the sensors, with their back-off
            "retry_on_asset_or_op_failure": False,
        },
        "retention": {"sensor": skipped, "auto_materialize": skipped},
        "sensors": threads,
        "schedules": threads,
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
    }


def _storage(settings: Settings) -> dict[str, Any]:
    """Nothing for SQLite under DAGSTER_HOME, which is what Dagster does by itself."""
    if not settings.orchestration.database_url.get_secret_value():
        return {}
    return {"storage": {"postgres": {"postgres_url": {"env": DATABASE_VARIABLE}}}}
