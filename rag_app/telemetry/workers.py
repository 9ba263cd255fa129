"""Numbers of several worker processes: they meet in a folder of small files.

``prepare_workers`` has to run before the processes start and before ``prometheus_client`` is imported
in them: the library decides at its import where it keeps values.
"""

import os
import shutil
from pathlib import Path

from rag_assets.platform.settings import Settings

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def prepare_workers(settings: Settings, workers: int) -> Path | None:
    """Make an empty folder for the numbers of worker processes that are about to start.

    Args:
        settings: of the deployment.
        workers: how many; with one there is nothing to add up.

    Returns:
        The folder, which the environment of the processes names; None with one worker.
    """
    if workers <= 1:
        return None
    parent = settings.state_path / "metrics"
    for old in parent.glob("serve-*"):
        if not _is_running(int(old.name.removeprefix("serve-"))):
            shutil.rmtree(old, ignore_errors=True)
    folder = parent / f"serve-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ[VARIABLE] = str(folder)
    return folder


def worker_ended(pid: int) -> None:
    """Take the gauges of a process that has ended out of the sums; its counts stay."""
    if VARIABLE in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's, and running
    return pid != os.getpid()
