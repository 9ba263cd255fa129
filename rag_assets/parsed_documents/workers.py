"""A supervisor of parser processes that may hang, crash or eat memory without harming others.

Every worker has a pipe of its own and reports each file as soon as it is read. So the file at fault
is known at once when a worker dies or is silent for too long: it alone is blamed, the files behind
it go to another worker, and nothing is read twice. (A pool with one shared queue, such as pebble's,
loses that: after a crash a whole batch has to be tried again file by file.) A file that ends a
worker which had read others gets one more try in a fresh worker: their memory may be to blame.
"""

import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

from rag_assets.platform.errors import ConfigurationError, RaglineError

from .outcome import ErrorKind, Failure, Outcome
from .worker import Settings, Task
from .worker_handle import Worker

EXTRACTOR = "rag_assets.parsed_documents.extract:extract"
_BATCH_FILES = 16  # enough to hide the pipe: kreuzberg needs half a millisecond for a small file
_BATCH_BYTES = 2 << 20  # a batch behind a slow file waits for it: keep it short
_FILES_PER_WORKER = 64  # fewer small files than that are not worth another process
_BYTES_PER_WORKER = 4 << 20
_STARTS = 3  # failed starts in a row before it is not the files' fault


@dataclass(frozen=True)
class Job:
    """One file to read.

    Attributes:
        sha256: hash of its content.
        media_type: what its source says it is.
        file_name: its name, with the extension.
        size: its bytes, for the order and the batches.
    """

    sha256: str
    media_type: str
    file_name: str
    size: int


@dataclass(frozen=True)
class Limits:
    """What the workers may use.

    Attributes:
        workers: most processes; 0 is one per CPU core that this process may use.
        timeout_seconds: for one file.
        memory_bytes: private memory of one worker.
        recycle_after: files that a worker reads before it is replaced.
        max_text_bytes: of one text, in UTF-8.
    """

    workers: int = 0
    timeout_seconds: float = 60.0
    memory_bytes: int = 4 << 30
    recycle_after: int = 2000
    max_text_bytes: int = 50 << 20


Locate = Callable[[str], Path | bytes]


def run_jobs(
    jobs: Sequence[Job], locate: Locate, limits: Limits, extractor: str = EXTRACTOR
) -> Iterator[tuple[int, Outcome]]:
    """Read files in worker processes.

    Closing the iterator early (or Ctrl-C) ends the workers; they also end when this process dies.

    Args:
        jobs: the files.
        locate: gives the content of a hash: a local file, or the bytes.
        limits: what the workers may use.
        extractor: ``module:function`` to call in the workers.

    Yields:
        The position of a job in ``jobs`` and its outcome, each exactly once, in no certain order.

    Raises:
        ConfigurationError: the workers cannot start.
    """
    if not jobs:
        return
    with ExitStack() as stack:
        spool = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ragline-parse-")))
        supervisor = _Supervisor(jobs, locate, limits, extractor, spool)
        stack.callback(supervisor.stop)
        yield from supervisor.run()


def worker_count(jobs: Sequence[Job], limits: Limits) -> int:
    """How many workers are worth starting: one for a handful of small files."""
    most = limits.workers or len(os.sched_getaffinity(0))
    by_files = -(-len(jobs) // _FILES_PER_WORKER)
    by_bytes = -(-sum(job.size for job in jobs) // _BYTES_PER_WORKER)
    return max(1, min(most, len(jobs), max(by_files, by_bytes)))


class _Supervisor:
    def __init__(
        self, jobs: Sequence[Job], locate: Locate, limits: Limits, extractor: str, spool: Path
    ) -> None:
        self._jobs = jobs
        self._locate = locate
        self._limits = limits
        self._extractor = extractor
        self._spool = spool
        # large files first, so that none is left alone at the end
        self._pending = deque(sorted(range(len(jobs)), key=lambda index: -jobs[index].size))
        self._alone: deque[int] = deque()  # to be tried again as the first file of a worker
        self._outcomes: deque[tuple[int, Outcome]] = deque()
        self._left = len(jobs)
        self._workers: list[Worker] = []
        self._failed_starts = 0

    def run(self) -> Iterator[tuple[int, Outcome]]:
        wanted = worker_count(self._jobs, self._limits)
        while self._left:
            while len(self._workers) < min(wanted, self._left) and (self._pending or self._alone):
                self._start()
            for worker in list(self._workers):
                self._feed(worker)
            self._listen()
            while self._outcomes:
                self._left -= 1
                yield self._outcomes.popleft()

    def stop(self) -> None:
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def _start(self) -> None:
        limits = self._limits
        self._workers.append(
            Worker.start(
                Settings(self._extractor, limits.memory_bytes, limits.max_text_bytes, os.getpid()),
                self._spool,
            )
        )

    def _feed(self, worker: Worker) -> None:
        """Send the next batch before the last is read; replace a worker that has read enough."""
        if not worker.ready or len(worker.tasks) > _BATCH_FILES // 2:
            return
        room = self._limits.recycle_after - worker.done - len(worker.tasks)
        if room <= 0:
            if not worker.tasks:
                self._remove(worker)
            return
        batch = self._next_batch(worker, room)
        if batch:
            if not worker.tasks:
                worker.deadline = time.monotonic() + self._limits.timeout_seconds
            try:
                worker.pipe.send(batch)
            except OSError:  # it died between two files: what it reported is still in the pipe
                self._pending.extendleft(task.key for task in reversed(batch))
            else:
                worker.tasks.extend(task.key for task in batch)

    def _next_batch(self, worker: Worker, room: int) -> list[Task]:
        if self._alone:
            if worker.done or worker.tasks:
                # it wants a fresh worker: make place for one
                if not worker.tasks:
                    self._remove(worker)
                return []
            task = self._task(self._alone.popleft())
            return [task] if task else []
        batch: list[Task] = []
        size = sum(self._jobs[key].size for key in worker.tasks)
        while self._pending and len(batch) < min(room, _BATCH_FILES):
            size += self._jobs[self._pending[0]].size
            if size > _BATCH_BYTES and (batch or worker.tasks):
                break
            if task := self._task(self._pending.popleft()):
                batch.append(task)
        return batch

    def _task(self, key: int) -> Task | None:
        job = self._jobs[key]
        try:
            content = self._locate(job.sha256)
        except RaglineError as error:
            self._outcomes.append((key, Failure(ErrorKind.UNREADABLE, str(error))))
            return None
        if isinstance(content, bytes):
            path = self._spool / str(key)
            path.write_bytes(content)
        else:
            path = content
        return Task(key, str(path), job.sha256, job.media_type, job.file_name)

    def _listen(self) -> None:
        """Take what the workers report; end those that are dead or late."""
        if not self._workers or self._outcomes:
            return
        busy = [worker.deadline for worker in self._workers if worker.tasks or not worker.ready]
        patience = min(busy, default=0.0) - time.monotonic()
        heard = set(wait([worker.pipe for worker in self._workers], max(0.0, patience)))
        for worker in list(self._workers):
            if worker.pipe in heard:
                self._receive(worker)
            elif worker.deadline < time.monotonic() and (worker.tasks or not worker.ready):
                self._late(worker)

    def _receive(self, worker: Worker) -> None:
        while worker in self._workers and worker.pipe.poll():
            try:
                message = worker.pipe.recv()
            except (EOFError, OSError):
                self._dead(worker)
                return
            worker.deadline = time.monotonic() + self._limits.timeout_seconds
            if message is None:
                worker.ready = True
                self._failed_starts = 0
            else:
                self._report(worker, *message)

    def _report(self, worker: Worker, key: int, outcome: Outcome) -> None:
        worker.tasks.popleft()
        worker.done += 1
        (self._spool / str(key)).unlink(missing_ok=True)
        if isinstance(outcome, Failure) and outcome.kind == ErrorKind.OUT_OF_MEMORY:
            # its memory may be full of what others left
            self._give_back(worker, key, outcome)
        else:
            self._outcomes.append((key, outcome))

    def _late(self, worker: Worker) -> None:
        if not worker.tasks:
            self._not_started(worker)
            return
        seconds = f"{self._limits.timeout_seconds:g}"
        text = f"The file took longer than {seconds} seconds (parsing.timeout_seconds)."
        self._outcomes.append((worker.tasks.popleft(), Failure(ErrorKind.TIMEOUT, text)))
        self._remove(worker)

    def _dead(self, worker: Worker) -> None:
        worker.process.wait()
        if not worker.ready:
            self._not_started(worker)
        elif not worker.tasks:
            self._remove(worker)
        else:
            worker.done += 1
            self._give_back(worker, worker.tasks.popleft(), worker.cause_of_death())

    def _give_back(self, worker: Worker, key: int, failure: Failure) -> None:
        """Blame the file, or try it once more if it was not the first file of its worker."""
        if worker.done > 1:
            self._alone.append(key)
        else:
            self._outcomes.append((key, failure))
        self._remove(worker)

    def _not_started(self, worker: Worker) -> None:
        self._failed_starts += 1
        if self._failed_starts >= _STARTS:
            raise ConfigurationError(
                f"The parser workers cannot start: {worker.last_words()[-500:] or 'no reason'}.",
                "Check that kreuzberg is installed; raise parsing.memory_mb if memory ran out.",
            )
        self._remove(worker)

    def _remove(self, worker: Worker) -> None:
        """End a worker; the files that it has not begun go to others."""
        self._workers.remove(worker)
        worker.end()
        self._pending.extendleft(reversed(worker.tasks))
        worker.tasks.clear()
