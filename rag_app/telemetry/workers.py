"""Numbers of several worker processes: they meet in a folder of small files.

``numbers_together`` has to be entered before the processes start and before ``prometheus_client`` is
imported in them: the library decides at its import where it keeps values.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def numbers_together(workers: int) -> Iterator[None]:
    """Let worker processes that start within this keep their numbers where each sees those of all.

    The folder is new, and on this machine: files are named after process ids, which mean nothing on
    another machine or in another container, and the state folder may be shared with those.

    Args:
        workers: how many; with one there is nothing to add up.
    """
    # what somebody else's service left in the environment is not ours to add up
    os.environ.pop(VARIABLE, None)
    if workers <= 1:
        yield
        return
    with TemporaryDirectory(prefix="ragline-metrics-") as folder:
        os.environ[VARIABLE] = folder
        yield


def worker_ended(pid: int) -> None:
    """Take the gauges of a process that has ended out of the sums; its counts stay."""
    if VARIABLE in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)
