"""Sections about orchestration: when and where runs happen, and who is told when they fail."""

from typing import Literal

from pydantic import Field, SecretStr

from .base import Section


class OrchestrationSettings(Section):
    """When and where Dagster runs the work."""

    database_url: SecretStr = Field(
        default=SecretStr(""),
        description="Dagster's own PostgreSQL database; empty: SQLite under DAGSTER_HOME.",
    )
    executor: Literal["in_process", "multiprocess", "celery", "kubernetes"] = Field(
        default="in_process", description="Where the steps of a run are executed."
    )
    max_concurrent_runs: int = Field(default=2, ge=1, description="Runs at the same time.")
    max_concurrent_steps: int = Field(
        default=2, ge=1, description="Steps at the same time: of a run, or of one Celery worker."
    )
    celery_broker: SecretStr = Field(
        default=SecretStr("redis://localhost:6379/0"), description="celery: where steps queue."
    )
    celery_backend: SecretStr = Field(
        default=SecretStr("redis://localhost:6379/1"), description="celery: where results lie."
    )
    pools: dict[str, int] = Field(
        default={"parse": 1, "embed": 1, "index_write": 1, "judge": 1},
        description="Steps at the same time, over all runs, by pool.",
    )
    run_retries: int = Field(
        default=2, ge=0, description="How often a run whose process crashed is started again."
    )
    monitor_seconds: int = Field(
        default=10, ge=1, description="How often it is looked whether runs are still at work."
    )
    start_timeout_seconds: int = Field(
        default=180, ge=1, description="A run that has not started after so long has failed."
    )
    lost_worker_seconds: int = Field(
        default=30, ge=3, description="celery: a worker that is silent for so long is lost."
    )
    # the daemon comes round every five seconds; what is more often happens within a tick
    sensor_seconds: int = Field(default=1, ge=1, description="How often the sources are looked at.")
    settle_seconds: float = Field(
        default=1.5, ge=0, description="A file is read when it has not changed for so long."
    )
    retry_seconds: float = Field(
        default=60.0, ge=0, description="Wait after a failed run for the same change; doubles."
    )
    fresh_within_hours: float = Field(
        default=24.0, gt=0, description="Assets older than this count as late."
    )
    keep_events_days: float = Field(
        default=30.0, ge=0, description="Dagster's runs and events are kept so long."
    )
