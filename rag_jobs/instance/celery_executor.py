"""Steps over Celery: an executor that starts a step again when its worker is lost.

With dagster-celery alone a step whose worker dies hangs: Redis gives its message to another worker
only after the visibility timeout, which has to be longer than the longest step. Here the run asks
the workers for a sign of life, and submits the step again.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from celery import Celery
from celery.result import AsyncResult
from dagster import multiple_process_executor_requirements
from dagster._core.events import DagsterEvent, EngineEventData
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster_celery import executor as dagster_celery
from dagster_celery.core_execution_loop import core_celery_execution_loop

from rag_assets.platform.settings import Settings

from .celery_watch import SupervisedStep, Workers

# longer than any step: whether a worker lives is asked of the worker, not of a clock
VISIBILITY_SECONDS = 24 * 3600


def celery_configuration(settings: Settings) -> dict[str, Any]:
    """What Celery is told, in workers and in runs alike.

    Args:
        settings: broker and backend are those of ``orchestration``.
    """
    section = settings.orchestration
    return {
        "broker": section.celery_broker.get_secret_value(),
        "backend": section.celery_backend.get_secret_value(),
        "config_source": {
            # a message is given back when its worker goes down in order; one whose worker was
            # killed is submitted again by the run, a limited number of times
            "task_acks_late": True,
            "task_reject_on_worker_lost": False,
            "task_track_started": True,
            "worker_concurrency": section.max_concurrent_steps,
            "broker_connection_retry_on_startup": True,
            "broker_transport_options": {"visibility_timeout": VISIBILITY_SECONDS},
            "result_backend_transport_options": {"visibility_timeout": VISIBILITY_SECONDS},
        },
    }


def make_celery_executor(settings: Settings) -> dg.ExecutorDefinition:
    """The executor for runs; no secret gets into the configuration that Dagster keeps."""

    @dg.executor(
        name="celery", config_schema={}, requirements=multiple_process_executor_requirements()
    )
    def celery(_: dg.InitExecutorContext) -> SupervisedCeleryExecutor:
        section = settings.orchestration
        return SupervisedCeleryExecutor(
            silence=section.lost_worker_seconds,
            attempts=section.run_retries + 1,
            retries=RetryMode.ENABLED,
            **celery_configuration(settings),
        )

    return celery


class SupervisedCeleryExecutor(dagster_celery.CeleryExecutor):
    """dagster-celery's executor, with an eye on the workers.

    Args:
        silence: seconds without an answer after which a worker is lost.
        attempts: how often a step is submitted at most.
        options: as dagster-celery's.
    """

    def __init__(self, silence: float, attempts: int, **options: Any) -> None:
        super().__init__(**options)
        self._silence = silence
        self._attempts = attempts

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        """Run a plan; called by Dagster."""
        watched: list[Workers] = []

        def submit(
            app: Celery,
            context: PlanOrchestrationContext,
            step: Any,
            queue: str,
            priority: int,
            known_state: Any,
        ) -> SupervisedStep:
            if not watched:
                watched.append(Workers(app, self._silence))

            def send() -> AsyncResult:
                return dagster_celery._submit_task(app, context, step, queue, priority, known_state)

            def report(message: str) -> None:
                context.instance.report_engine_event(
                    message, context.dagster_run, EngineEventData(), type(self), step.key
                )

            return SupervisedStep(step.key, send, watched[0], self._attempts, report)

        yield from core_celery_execution_loop(plan_context, execution_plan, submit)
