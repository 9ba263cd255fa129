"""One worker process as its supervisor sees it: start it, end it, find out why it died."""

import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

from .outcome import ErrorKind, Failure
from .worker import Settings

_CODE = "import sys; from rag_assets.parsed_documents.worker import main; main(int(sys.argv[1]))"
_START_SECONDS = 120.0
_SIGKILL = -9
_NO_MEMORY = (
    "memory allocation of",
    "bad_alloc",
    "MemoryError",
    "out of memory",
    "Cannot allocate memory",
)


@dataclass(eq=False)
class Worker:
    """A running worker.

    Attributes:
        pipe: carries tasks to it and outcomes from it.
        deadline: monotonic time by which it must report something.
        ready: whether it has started.
        done: files it has read.
        tasks: keys of the files it was sent and has not reported, in order.
    """

    process: subprocess.Popen[bytes]
    pipe: Connection
    errors: IO[bytes]
    deadline: float
    ready: bool = False
    done: int = 0
    tasks: deque[int] = field(default_factory=deque)

    @classmethod
    def start(cls, settings: Settings, folder: Path) -> "Worker":
        """Start a plain interpreter that runs ``worker.main``; its messages go to a file."""
        ours, theirs = Pipe(duplex=True)
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join([root, *(entry for entry in sys.path if entry)])
        errors = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 closed by end()
        process = subprocess.Popen(
            [sys.executable, "-c", _CODE, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            pass_fds=[theirs.fileno()],
            env=os.environ | {"PYTHONPATH": path},
        )
        theirs.close()
        ours.send(settings)
        return cls(process, ours, errors, time.monotonic() + _START_SECONDS)

    def end(self) -> None:
        """Kill it, whatever it does."""
        self.process.kill()
        self.process.wait()
        self.pipe.close()
        self.errors.close()

    def last_words(self) -> str:
        """The end of what it wrote to its standard error."""
        self.errors.seek(0, os.SEEK_END)
        self.errors.seek(max(0, self.errors.tell() - 4000))
        return self.errors.read().decode("utf-8", "replace").strip()

    def cause_of_death(self) -> Failure:
        """Why it died while it read a file."""
        code = self.process.wait()
        words = self.last_words()
        if code == _SIGKILL or any(sign in words for sign in _NO_MEMORY):
            text = "The file needs more memory than a worker may use (parsing.memory_mb)."
            return Failure(ErrorKind.OUT_OF_MEMORY, text)
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        detail = f": {words.splitlines()[-1][:300]}" if words else ""
        return Failure(ErrorKind.CRASHED, f"The parser ended its process ({how}){detail}.")
