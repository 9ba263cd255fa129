"""The Celery application of the workers: ``dagster-celery worker start -A rag_jobs.instance.celery_app``."""

from multiprocessing import process
from typing import Any

import billiard
from celery import Celery, Task
from celery.signals import worker_process_init
from dagster import DagsterInstance
from dagster._core.events import DagsterEventType
from dagster._grpc.types import ExecuteStepArgs
from dagster._serdes import pack_value, serialize_value, unpack_value
from dagster_celery.executor import CeleryExecutor
from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_task
from dagster_shared.record import copy

from rag_assets.platform.processes import end_with_parent
from rag_assets.platform.settings import Settings, load_settings

from .celery_executor import celery_configuration
from .home import open_instance

# this process as multiprocessing knows it, before Celery forks
MAIN_PROCESS = process.current_process()


class StepTask(Task):
    """A step, executed once: a message that comes again finds it done, or its run over."""

    def __call__(self, execute_step_args_packed: Any, executable_dict: Any) -> list[str]:
        """Execute the step with this machine's own DAGSTER_HOME.

        Returns:
            Its events, serialized.
        """
        arguments = unpack_value(execute_step_args_packed, as_type=ExecuteStepArgs)
        (step,) = arguments.step_keys_to_execute or ("",)
        with open_instance(load_settings()) as instance:
            run = instance.get_run_by_id(arguments.run_id)
            if run is None or run.is_finished:
                return []
            done = _events_of_success(instance, arguments.run_id, step)
            if done:
                return done
            # the run may be executed on another machine, with its files in other places
            here = copy(arguments, instance_ref=instance.get_ref())
            events: list[str] = self.run(pack_value(here), executable_dict)
            return events


def worker_app(settings: Settings) -> Celery:
    """The application, with broker and backend of the settings."""
    app = make_app(CeleryExecutor.for_cli(**celery_configuration(settings)).app_args())
    create_task(app, base=StepTask)
    return app


def _events_of_success(instance: DagsterInstance, run_id: str, step: str) -> list[str]:
    """The events of a step that has succeeded, and whose result was lost; else nothing."""
    events = [
        entry.dagster_event
        for entry in instance.all_logs(run_id)
        if entry.dagster_event is not None and entry.step_key == step
    ]
    succeeded = any(item.event_type == DagsterEventType.STEP_SUCCESS for item in events)
    return [serialize_value(item) for item in events] if succeeded else []


@worker_process_init.connect
def _prepare_process(**_: Any) -> None:
    """A step must not go on unseen when its worker is killed, and may have helpers of its own."""
    # Celery starts processes by its own library, and only that knows who did it
    end_with_parent(billiard.current_process()._parent_pid)
    # Celery leaves its own kind of process where multiprocessing looks for the present one, and that
    # may have no children; those that check contracts and parse end with their parent anyway
    process._current_process = MAIN_PROCESS  # type: ignore[attr-defined]


app = worker_app(load_settings())
