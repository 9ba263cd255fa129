"""The worker processes of ``ragline serve``: kept running by uvicorn, their numbers kept right."""

import logging
import time
from socket import socket
from typing import Any

from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from rag_app.telemetry.workers import worker_ended

# for what a worker does at the end after its last answer; one that hangs would never be done
CLOSING_SECONDS = 10.0

log = logging.getLogger("uvicorn.error")


def run_workers(application: str, **options: Any) -> bool:
    """Serve with several processes until a signal ends them.

    Args:
        application: where the factory of the application is, as uvicorn wants it.
        options: for ``uvicorn.Config``; a worker that says nothing for
            ``timeout_worker_healthcheck`` seconds is replaced.

    Returns:
        Whether they could serve.
    """
    config = Config(application, factory=True, **options)
    workers = Workers(config, [config.bind_socket()])
    workers.run()
    return not workers.failed


class Workers(Multiprocess):
    """uvicorn's supervisor, but that it waits for no worker while another one needs it.

    It also tells the metrics of workers that have ended.

    Attributes:
        failed: whether a worker could not even start, so that all were ended.
    """

    def __init__(self, config: Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self.failed = False
        self._known: set[int] = set()
        # since when a worker owes an answer
        self._asked: dict[Process, float] = {}

    def keep_subprocess_alive(self) -> None:
        """Replace those that died or hang; uvicorn calls this twice a second, after signals were
        obeyed."""
        if self.should_exit.is_set():
            return
        for index, process in enumerate(self.processes):
            # with our copy of the worker's end open, one that died would only seem to be silent
            process.child_conn.close()
            if process.process.is_alive() and self._is_heard(process):
                continue
            process.kill()
            process.join()
            if process.exitcode == STARTUP_FAILURE:
                log.error("Child process [%s] failed to start, all are ended.", process.pid)
                self.failed = True
                self.should_exit.set()
                break
            log.info("Child process [%s] died", process.pid)
            self.processes[index] = Process(self.config, self.sockets)
            self.processes[index].start()
        # also without those that a signal has replaced
        self._asked = {item: self._asked[item] for item in self.processes if item in self._asked}
        self._tell_metrics()

    def join_all(self) -> None:
        """Wait for workers that were asked to end, and kill those that hang."""
        until = time.monotonic() + (self.config.timeout_graceful_shutdown or 0) + CLOSING_SECONDS
        for process in self.processes:
            process.process.join(max(0.0, until - time.monotonic()))
            if process.process.is_alive():
                log.error("Child process [%s] does not end and is killed.", process.pid)
                process.kill()
            process.join()

    def _is_heard(self, process: Process) -> bool:
        """Whether a worker has said something lately; asks it again once it has."""
        now, answered = time.monotonic(), process not in self._asked
        try:
            while process.parent_conn.poll(0):
                process.parent_conn.recv()
                answered = True
            if answered:
                process.parent_conn.send(b"ping")
                self._asked[process] = now
        except (OSError, EOFError):  # it is about to die
            return False
        silent = now - self._asked[process]
        if silent < self.config.timeout_worker_healthcheck:
            return True
        log.error("Child process [%s] has said nothing for %.0f s.", process.pid, silent)
        return False

    def _tell_metrics(self) -> None:
        running = {process.pid for process in self.processes if process.pid is not None}
        for pid in self._known - running:
            worker_ended(pid)
        self._known = running
