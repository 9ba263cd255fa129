"""A run launcher that notices when the process of a run is gone.

Dagster's own launcher for code servers cannot be asked for the health of a run: one whose server
was killed would be shown as running for ever. This one asks the server that the run was given to,
so that run monitoring can fail the run and run retries can start it again.
"""

import json
import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster import DagsterRun
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.events import DagsterEventType
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._serdes.config_class import ConfigurableClassData

from .runs import PROCESS_TAG

if TYPE_CHECKING:
    from dagster._grpc.client import DagsterGrpcClient

# Dagster retries a run only once: while no code server answers, a run that was failed then would
# never be tried again. So it is failed when the server is back, or when that takes too long.
BACK_SECONDS = 900.0
# a server that Dagster starts itself is replaced by one at another address
REPLACED_SECONDS = 20.0
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class WatchedRunLauncher(DefaultRunLauncher):
    """Gives runs to code servers, and tells whether they are still at work."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        self._gone_since: dict[str, float] = {}

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Run monitoring may ask."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Ask whoever executes the run.

        Returns:
            RUNNING while its process may be alive: a server that is slow to answer is not dead.
            NOT_FOUND when the server is gone, or is another one that does not know the run.
        """
        if PROCESS_TAG in run.tags:
            return _health_of_process(run.tags[PROCESS_TAG])
        client = self._get_grpc_client_for_termination(run.run_id)
        if client is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "executed by no code server")
        try:
            known = _runs_of(client)
        except DagsterUserCodeUnreachableError as error:
            if not _is_gone(error):
                return CheckRunHealthResult(WorkerStatus.RUNNING, f"no answer: {error}")
            return self._health_without_server(run)
        self._gone_since.pop(run.run_id, None)
        if run.run_id in known:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(
            WorkerStatus.NOT_FOUND, "its code server was started anew and does not know the run"
        )

    def _health_without_server(self, run: DagsterRun) -> CheckRunHealthResult:
        """A process outlives a server that was killed on this machine, and goes on with its run."""
        process = self._process_of(run)
        if process is not None and _is_alive(process):
            return CheckRunHealthResult(
                WorkerStatus.RUNNING, f"its code server is gone, its process {process} is at work"
            )
        now = time.monotonic()
        gone = now - self._gone_since.setdefault(run.run_id, now)
        if gone < (BACK_SECONDS if _stays_at_its_address(run) else REPLACED_SECONDS):
            return CheckRunHealthResult(WorkerStatus.RUNNING, "its code server does not answer")
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "its code server is gone")

    def _process_of(self, run: DagsterRun) -> int | None:
        """The process of a run on this machine, as the run itself reported it."""
        server: dict[str, Any] = json.loads(run.tags[GRPC_INFO_TAG])
        if server.get("host", "localhost") not in LOCAL_HOSTS:
            return None
        events = self._instance.all_logs(run.run_id, of_type=DagsterEventType.ENGINE_EVENT)
        for entry in events:
            event = entry.dagster_event
            found = event.event_specific_data.metadata.get("pid") if event else None  # type: ignore[union-attr]
            if found is not None:
                return int(str(found.value))
        return None


def _runs_of(client: "DagsterGrpcClient") -> list[str]:
    from dagster._grpc.types import GetCurrentRunsResult
    from dagster._serdes import deserialize_value

    return list(deserialize_value(client.get_current_runs(), GetCurrentRunsResult).current_runs)


def _stays_at_its_address(run: DagsterRun) -> bool:
    """Whether its code server is one that somebody else starts, and starts again."""
    job = run.remote_job_origin
    return job is not None and isinstance(
        job.repository_origin.code_location_origin, GrpcServerCodeLocationOrigin
    )


def _is_gone(error: BaseException) -> bool:
    """Whether nobody listens at the address of a server, as against a server that is slow."""
    import grpc

    link: BaseException | None = error
    while link is not None:
        if isinstance(link, grpc.RpcError) and isinstance(link, grpc.Call):
            return bool(link.code() == grpc.StatusCode.UNAVAILABLE)
        link = link.__cause__ or link.__context__
    return False


def _health_of_process(tag: str) -> CheckRunHealthResult:
    """A run that a command executes in its own process."""
    host, _, process = tag.rpartition("/")
    if host == socket.gethostname() and not _is_alive(int(process)):
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, f"its process {process} is gone")
    return CheckRunHealthResult(WorkerStatus.RUNNING)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        # one that has ended stays there until its parent asks for it
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True
