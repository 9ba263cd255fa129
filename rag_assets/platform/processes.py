"""Processes: children that never outlive their parent, memory that is given back, early imports."""

import ctypes
import importlib
import os
import signal
import sys
import threading
from functools import cache

PR_SET_PDEATHSIG = 1
_M_ARENA_MAX = -8  # of glibc's malloc.h


def share_free_memory() -> None:
    """Let the threads of this process share what they free, from now on (glibc; elsewhere nothing).

    glibc gives threads pools of their own, up to eight for every core, and what one release leaves
    free in some of them is of no use to the threads that open the next one: a service that sees many
    releases would grow and grow. One pool a core is enough. ``MALLOC_ARENA_MAX`` decides where it is
    set.
    """
    limit = getattr(ctypes.CDLL(None), "mallopt", None)
    if limit is not None and "MALLOC_ARENA_MAX" not in os.environ:
        limit(_M_ARENA_MAX, os.cpu_count() or 1)


def release_memory() -> None:
    """Give freed memory back to the system (glibc keeps it otherwise; elsewhere it does nothing)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def end_with_parent(parent: int, number: int = signal.SIGKILL) -> None:
    """Ask the kernel to end this process when its parent dies, even by ``kill -9`` (Linux only).

    Elsewhere it does nothing: there, workers end when their pipe to the parent closes.

    Args:
        parent: the process that started this one. In a container that may be process 1, which
            elsewhere takes over the children of those that died: only the starter can tell.
        number: the signal; one that can be caught lets it end what it has started itself.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        # the parent died before the request was made
        os.kill(os.getpid(), number)


def end_with_starter(number: int = signal.SIGKILL) -> None:
    """``end_with_parent`` for a process that ``multiprocessing`` has started; elsewhere nothing."""
    from multiprocessing import parent_process

    starter = parent_process()
    if starter is not None and starter.pid is not None:
        end_with_parent(starter.pid, number)


@cache
def import_ahead(*names: str) -> None:
    """Import modules in a thread while this process waits for other work; once per process."""

    def load() -> None:
        for name in names:
            importlib.import_module(name)

    threading.Thread(target=load, name="import_ahead", daemon=True).start()
