"""A bad file harms nothing but itself, and workers never outlive what they are for."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import pytest

from rag_assets.parsed_documents.outcome import ErrorKind, Extracted, Failure, Outcome
from rag_assets.parsed_documents.workers import Job, Limits, run_jobs, worker_count
from rag_assets.platform.errors import ConfigurationError, StorageError

HOSTILE = "tests.parsed_documents.hostile:extract"
ROOT = Path(__file__).parents[2]
LIMITS = Limits(workers=2, timeout_seconds=4, memory_bytes=384 << 20)


def make(texts: list[str]) -> tuple[list[Job], dict[str, bytes]]:
    contents = {hashlib.sha256(text.encode()).hexdigest(): text.encode() for text in texts}
    jobs = [Job(sha256, "text/plain", "a.txt", len(text)) for sha256, text in contents.items()]
    return jobs, contents


def run(texts: list[str], limits: Limits = LIMITS) -> dict[int, Outcome]:
    jobs, contents = make(texts)
    pairs = list(run_jobs(jobs, contents.__getitem__, limits, HOSTILE))
    assert sorted(key for key, _ in pairs) == list(range(len(texts)))  # each exactly once
    return dict(pairs)


def kinds(outcomes: Mapping[int, Outcome]) -> dict[int, str]:
    return {key: str(o.kind) for key, o in outcomes.items() if isinstance(o, Failure)}


Children = Callable[[], list[psutil.Process]]


@pytest.fixture
def children() -> Children:
    """Gives the processes that this one has started since the test began."""
    others = set(psutil.Process().children())
    return lambda: [
        child for child in psutil.Process().children() if child.is_running() and child not in others
    ]


def test_each_culprit_is_quarantined_alone(children: Children) -> None:
    texts = [f"good {number}" for number in range(150)]
    texts[3], texts[4] = "hang 1", "hang 2"
    texts[50], texts[70], texts[149] = "allocate", "abort", "vanish"
    outcomes = run(texts)
    assert kinds(outcomes) == {
        3: ErrorKind.TIMEOUT,
        4: ErrorKind.TIMEOUT,
        50: ErrorKind.OUT_OF_MEMORY,
        70: ErrorKind.CRASHED,
        149: ErrorKind.CRASHED,
    }
    good = [o for o in outcomes.values() if isinstance(o, Extracted)]
    assert sorted(o.text for o in good) == sorted(text for text in texts if text.startswith("good"))
    assert not children()


def test_a_file_that_ends_a_used_worker_gets_a_fresh_one() -> None:
    # it dies only where another file was read before: what they share is to blame, not the file
    assert kinds(run(["good 1", "good 2", "second"], Limits(workers=1))) == {}


def test_all_files_bad() -> None:
    assert set(kinds(run([f"abort {number}" for number in range(6)])).values()) == {"crashed"}


def test_workers_are_replaced_after_some_files() -> None:
    outcomes = run([f"pid {number}" for number in range(40)], Limits(workers=1, recycle_after=8))
    pids = [o.text for o in outcomes.values() if isinstance(o, Extracted)]
    assert len(set(pids)) == 5


def test_damaged_and_missing_contents() -> None:
    jobs, contents = make(["good 1", "good 2", "good 3"])
    contents[jobs[0].sha256] = b"other"

    def locate(sha256: str) -> bytes:
        if sha256 == jobs[1].sha256:
            raise StorageError("The blob is missing.", "Ingest again.")
        return contents[sha256]

    outcomes = dict(run_jobs(jobs, locate, LIMITS, HOSTILE))
    assert kinds(outcomes) == {0: ErrorKind.UNREADABLE, 1: ErrorKind.UNREADABLE}


def test_workers_that_cannot_start_say_why(children: Children) -> None:
    jobs, contents = make(["good"])
    with pytest.raises(ConfigurationError, match="no_such_module"):
        list(run_jobs(jobs, contents.__getitem__, LIMITS, "no_such_module:extract"))
    assert not children()


def test_closing_early_ends_the_workers(children: Children) -> None:
    jobs, contents = make([f"good {number}" for number in range(300)] + ["hang"])
    outcomes = run_jobs(jobs, contents.__getitem__, Limits(workers=2), HOSTILE)
    next(outcomes)
    assert children()
    outcomes.close()  # type: ignore[attr-defined]
    assert not children()


def test_few_small_files_take_one_worker() -> None:
    small = [Job("", "", "", 2000)] * 30
    assert worker_count(small, Limits(workers=8)) == 1
    assert worker_count(small * 100, Limits(workers=8)) == 8
    assert worker_count([Job("", "", "", 50 << 20)] * 3, Limits(workers=8)) == 3


SCRIPT = """
import sys
from tests.parsed_documents.test_workers import HOSTILE, make
from rag_assets.parsed_documents.workers import Limits, run_jobs
jobs, contents = make([f"good {n}" for n in range(200)] + ["hang 1", "hang 2"])
for _ in run_jobs(jobs, contents.__getitem__, Limits(workers=2), HOSTILE):
    print("one", flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_do_not_outlive_their_supervisor(how: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        for _ in range(200):
            process.stdout.readline()
        workers = psutil.Process(process.pid).children()
        assert workers
        process.send_signal(how)
        process.wait()
        gone, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive
    assert len(gone) == len(workers)


def test_reading_starts_without_heavy_imports() -> None:
    code = (
        "import sys, rag_assets.parsed_documents.worker, rag_assets.parsed_documents.extract;"
        "print([m for m in ('polars', 'dagster', 'numpy', 'pydantic') if m in sys.modules])"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert output.stdout.strip() == "[]"


def test_timeouts_count_from_the_start_of_each_file() -> None:
    texts = [f"slow {number}" for number in range(8)]
    started = time.monotonic()
    assert kinds(run(texts, Limits(workers=1, timeout_seconds=1.0))) == {}
    assert time.monotonic() - started > 1.2  # together they took longer than the limit of one
