"""The worker processes of ``ragline serve``: kept running by uvicorn, their numbers kept right."""

from socket import socket
from typing import Any

from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from rag_app.telemetry.workers import worker_ended


def run_workers(application: str, **options: Any) -> bool:
    """Serve with several processes until a signal ends them.

    Args:
        application: where the factory of the application is, as uvicorn wants it.
        options: for ``uvicorn.Config``.

    Returns:
        Whether they could serve.
    """
    config = Config(application, factory=True, **options)
    workers = Workers(config, [config.bind_socket()])
    workers.run()
    return not workers.failed


class Workers(Multiprocess):
    """uvicorn's supervisor, which also tells the metrics of workers that have ended.

    Attributes:
        failed: whether a worker could not even start, so that all were ended.
    """

    def __init__(self, config: Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self.failed = False
        self._known: set[int] = set()

    def keep_subprocess_alive(self) -> None:
        """Replace those that died; uvicorn calls this twice a second, after signals were obeyed."""
        for process in self.processes:
            # with our copy of the worker's end open, a question to one that has just died would be
            # waited for in vain, and nobody be replaced meanwhile
            process.child_conn.close()
        super().keep_subprocess_alive()
        self.failed = any(process.exitcode == STARTUP_FAILURE for process in self.processes)
        running = {process.pid for process in self.processes if process.pid is not None}
        for pid in self._known - running:
            worker_ended(pid)
        self._known = running
