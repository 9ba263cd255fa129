"""Child processes that never outlive their parent."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def release_memory() -> None:
    """Give freed memory back to the system (glibc keeps it otherwise; elsewhere it does nothing)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def end_with_parent() -> None:
    """Ask the kernel to end this process when its parent dies, even by ``kill -9`` (Linux only).

    Elsewhere it does nothing: there, workers end when their pipe to the parent closes.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1:
        # the parent died before the request was made
        os.kill(os.getpid(), signal.SIGKILL)
