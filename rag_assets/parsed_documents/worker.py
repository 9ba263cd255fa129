"""What runs inside a worker process: limits, then files, one after the other.

Started as a plain interpreter (not by ``multiprocessing``, which would import the parent's main
module again in every worker). Imports only what it needs: neither polars nor Dagster.
"""

import ctypes
import hashlib
import importlib
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from .outcome import ErrorKind, Failure, Outcome

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Task:
    """One file for a worker.

    Attributes:
        key: what the outcome is reported under.
        path: the local file with the content.
        sha256: what the content must hash to.
        media_type: what the source says it is.
        file_name: its name, with the extension.
    """

    key: int
    path: str
    sha256: str
    media_type: str
    file_name: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What a worker is told when it starts.

    Attributes:
        extractor: ``module:function`` that turns (bytes, media type, file name) into an outcome.
        memory_bytes: limit of its private memory.
        max_text_bytes: limit of one text.
        parent: process id of the supervisor.
    """

    extractor: str
    memory_bytes: int
    max_text_bytes: int
    parent: int


def main(descriptor: int) -> None:
    """Serve the supervisor at the other end of a pipe until it closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's business
    pipe = Connection(descriptor)
    settings: Settings = pipe.recv()
    _die_with_parent(settings.parent)
    # one worker is one thread of work; read when the native pools are made
    os.environ.setdefault("RAYON_NUM_THREADS", "1")
    os.environ.setdefault("TOKIO_WORKER_THREADS", "1")
    resource.setrlimit(resource.RLIMIT_DATA, (settings.memory_bytes, settings.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    module, _, function = settings.extractor.partition(":")
    loaded = importlib.import_module(module)
    if hasattr(loaded, "warm_up"):
        loaded.warm_up()
    extract = getattr(loaded, function)
    pipe.send(None)  # ready
    try:
        while tasks := pipe.recv():
            for task in tasks:
                pipe.send((task.key, _run(extract, task, settings)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the supervisor is gone


def _run(extract: Callable[..., Outcome], task: Task, settings: Settings) -> Outcome:
    try:
        content = Path(task.path).read_bytes()
    except OSError as error:
        return Failure(ErrorKind.UNREADABLE, f"The stored copy cannot be read: {error.strerror}.")
    except MemoryError:
        return Failure(ErrorKind.OUT_OF_MEMORY, "The file needs more memory than a worker may use.")
    if hashlib.sha256(content).hexdigest() != task.sha256:
        return Failure(
            ErrorKind.UNREADABLE, "The stored copy is damaged: its content does not have its hash."
        )
    return extract(content, task.media_type, task.file_name, max_text_bytes=settings.max_text_bytes)


def _die_with_parent(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the signal was set
            os._exit(1)
