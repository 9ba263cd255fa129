"""Whether the Celery workers of a run are alive, and what to do with a step whose worker is not."""

import time
from collections.abc import Callable
from typing import Any

from celery import Celery, states
from celery.exceptions import WorkerLostError
from celery.result import AsyncResult

PING_SECONDS = 1.0
# a worker is asked so many times before its silence counts
ASKED = 5


class Workers:
    """Remembers when each worker last gave a sign of life.

    Args:
        app: reaches the workers through the broker.
        silence: seconds without an answer after which a worker is lost.
    """

    def __init__(self, app: Celery, silence: float) -> None:
        self._app = app
        self._silence = silence
        self._heard: dict[str, float] = {}
        self._lost: dict[str, float] = {}
        self._asked = 0.0

    def look(self) -> None:
        """Ask every worker, unless that was done a moment ago."""
        now = time.monotonic()
        if now - self._asked < max(PING_SECONDS, self._silence / ASKED):
            return
        answers = self._app.control.ping(timeout=PING_SECONDS) or []
        now = self._asked = time.monotonic()
        for name in (name for answer in answers for name in answer):
            self._heard[name] = now
            self._lost.pop(name, None)
        for name, heard in self._heard.items():
            if now - heard > self._silence:
                self._lost.setdefault(name, now)

    def expect(self, name: str) -> None:
        """Begin to count the silence of a worker that was never heard."""
        self._heard.setdefault(name, time.monotonic())

    def is_lost(self, name: str) -> bool:
        """Whether a worker has been silent for too long."""
        return name in self._lost

    def lost_since(self, moment: float) -> bool:
        """Whether any worker was lost after a moment (of the monotonic clock)."""
        return any(lost > moment for lost in self._lost.values())


class SupervisedStep:
    """A submitted step that is submitted again when its worker is lost.

    It stands where dagster-celery expects Celery's result, and has the methods that it uses.

    Args:
        key: the step.
        submit: sends it to the queue.
        workers: know who is alive.
        attempts: how often it is submitted at most; a step that kills its worker would go on so
            for ever.
        report: told, for the event log, when it is submitted again.
    """

    def __init__(
        self,
        key: str,
        submit: Callable[[], AsyncResult],
        workers: Workers,
        attempts: int,
        report: Callable[[str], None],
    ) -> None:
        self._key = key
        self._submit = submit
        self._workers = workers
        self._left = attempts - 1
        self._report = report
        self._result = submit()
        self._since = time.monotonic()
        self._given_up = ""

    def ready(self) -> bool:
        """Whether the step has ended, well or not."""
        self._workers.look()
        reason = self._loss()
        if not reason:
            return bool(self._result.ready())
        if self._left <= 0:
            self._given_up = reason
            return True
        self._left -= 1
        self._report(f'Step "{self._key}" is submitted again: {reason}.')
        self._result.revoke()
        self._result = self._submit()
        self._since = time.monotonic()
        return False

    def get(self) -> Any:
        """The events of the step.

        Raises:
            WorkerLostError: its workers were lost too often.
            Exception: what Celery could not execute.
        """
        if self._given_up:
            raise WorkerLostError(f'Step "{self._key}" was given up: {self._given_up}.')
        return self._result.get()

    def revoke(self) -> None:
        """Take it back; a worker that has begun finishes it."""
        self._result.revoke()

    def _loss(self) -> str:
        """How the worker was lost; empty while it may be at work."""
        meta = self._result.backend.get_task_meta(self._result.id)
        state, value = meta["status"], meta["result"]
        if state == states.FAILURE and isinstance(value, WorkerLostError):
            return "the process that executed it was killed"
        if state == states.STARTED:
            name = value["hostname"]
            self._workers.expect(name)
            return f"worker {name} does not answer" if self._workers.is_lost(name) else ""
        # taken from the queue, and lost before it began
        if state == states.PENDING and self._workers.lost_since(self._since):
            return "a worker was lost while it waited"
        return ""
