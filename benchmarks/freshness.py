"""How long it takes from a dropped file to an answer that cites it, and where the time goes.

A deployment of its own with a real daemon (and, with ``--webserver``, a real webserver), whose runs
are processes of their own. After the first release a file is dropped several times, each time when
everything has come to rest; nothing else is done. The moments are those of the file system, of the
sensor's ticks, of Dagster's event log and of a query engine that asks without pause.

Run: ``python -m benchmarks.freshness [--files 5] [--documents 50] [--webserver] [--postgres URL] [--json]``.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.releases.registry import Registry

MODULE = "rag_jobs.definitions"
WAIT_SECONDS = 1800.0
ASK_SECONDS = 0.1
STOP_SECONDS = 30
SETTINGS = """
[sources.docs]
kind = "folder"
path = "documents"
acl = ["public"]
"""
CONTRACTS = "contracts"


@dataclass
class Freshness:
    """One dropped file.

    Attributes:
        seconds: from the file to the citation.
        parts: where they went, in order.
    """

    seconds: float
    parts: dict[str, float] = field(default_factory=dict)


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=5)
    parser.add_argument("--documents", type=int, default=50)
    parser.add_argument("--webserver", action="store_true")
    parser.add_argument("--postgres", default="", help="Dagster's database; default: SQLite")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="freshness-") as folder:
        found = measure(
            Path(folder),
            files=options.files,
            documents=options.documents,
            webserver=options.webserver,
            postgres=options.postgres,
        )
    if options.json:
        print(json.dumps([item.__dict__ for item in found], indent=2))
    else:
        show(found)
    return 0


def measure(
    folder: Path, *, files: int, documents: int, webserver: bool, postgres: str
) -> list[Freshness]:
    """Drop files one after the other into a deployment that looks after itself."""
    from rag_jobs.instance import open_instance

    (folder / "documents").mkdir()
    (folder / "ragline.toml").write_text(SETTINGS)
    for number in range(documents):
        text = f"# Lighthouse {number}\n\nLighthouse {number} was built in {1800 + number}.\n"
        (folder / "documents" / f"lighthouse-{number}.md").write_text(text)
    os.chdir(folder)
    os.environ |= {
        "RAG_CONFIG": str(folder / "ragline.toml"),
        "RAG_HOME": str(folder / ".ragline"),
        "DAGSTER_HOME": str(folder / ".ragline" / "dagster"),
        "DAGSTER_DISABLE_TELEMETRY": "1",
    } | ({"RAG_ORCHESTRATION__DATABASE_URL": postgres} if postgres else {})
    platform = Platform.load()
    instance = open_instance(platform.settings)
    servers: list[tuple[str, ...]] = [("dagster-daemon", "run", "-m", MODULE)]
    if webserver:
        servers.append(("dagster-webserver", "-m", MODULE, "-p", str(_free_port())))
    with running(servers, folder):
        _wait(lambda: Registry(platform.database).live(), "first release")
        engine = QueryEngine(platform)
        found = []
        for number in range(files):
            _wait(lambda: _at_rest(instance), "rest")
            found.append(_drop(folder, number, engine, instance))
    instance.dispose()
    return found


def _drop(folder: Path, number: int, engine: QueryEngine, instance: Any) -> Freshness:
    name = f"parrot-{number}.md"
    (folder / "documents" / name).write_text(
        f"# Parrot {number}\n\nThe parrot with the name Zephyr{number} sings at dawn.\n"
    )
    dropped = time.time()

    def cited() -> bool:
        answer = engine.ask(f"When does the parrot Zephyr{number} sing?", Caller())
        return any(item.document_id == f"docs/{name}" for item in answer.citations)

    _wait(cited, "citation")
    seen = time.time()
    return Freshness(seen - dropped, _parts(instance, dropped, seen))


def _parts(instance: Any, dropped: float, seen: float) -> dict[str, float]:
    """From the events of the runs since the file was dropped."""
    records = [
        record
        for record in instance.get_run_records(limit=10)
        if record.create_timestamp.timestamp() >= dropped
        and record.dagster_run.job_name in ("refresh", "ingest", "promote")
    ]
    parts: dict[str, float] = {}
    last = dropped
    for record in reversed(records):
        created = record.create_timestamp.timestamp()
        _add(parts, "settling and detection", created - last)
        last = created
        begun: dict[str, float] = {}
        for entry in instance.all_logs(record.dagster_run.run_id):
            event = entry.dagster_event
            kind = event.event_type_value if event else ""
            if kind == "PIPELINE_STARTING":
                _add(parts, "queue", entry.timestamp - last)
                last = entry.timestamp
            elif kind == "PIPELINE_START":
                _add(parts, "start of the process", entry.timestamp - last)
                last = entry.timestamp
            elif kind == "STEP_START":
                begun[event.step_key] = entry.timestamp
            elif kind == "STEP_SUCCESS":
                step = event.step_key
                label = CONTRACTS if step.endswith("_contract") else step
                _add(parts, label, entry.timestamp - begun[step])
                _add(parts, "between steps", begun[step] - last)
                last = entry.timestamp
    # the release is visible before its run has ended, so that this may be less than nothing
    _add(parts, "visibility", seen - last)
    return {name: round(value, 3) for name, value in parts.items()}


def _add(parts: dict[str, float], name: str, seconds: float) -> None:
    parts[name] = parts.get(name, 0.0) + seconds


def _at_rest(instance: Any) -> bool:
    from dagster import RunsFilter
    from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

    return not instance.get_runs(RunsFilter(statuses=list(NOT_FINISHED_STATUSES)), limit=1)


def _wait(look: Callable[[], Any], what: str) -> Any:
    limit = time.monotonic() + WAIT_SECONDS
    while not (found := look()):
        if time.monotonic() > limit:
            raise TimeoutError(f"no {what} in {WAIT_SECONDS:.0f} s")
        time.sleep(ASK_SECONDS)
    return found


@contextmanager
def running(commands: list[tuple[str, ...]], folder: Path) -> Iterator[None]:
    """Servers in process groups of their own, which end with all they have started."""
    processes = []
    root = Path(__file__).parents[1]
    try:
        for name, *rest in commands:
            with (folder / f"{name}.log").open("wb") as log:
                processes.append(
                    subprocess.Popen(
                        [str(Path(sys.executable).with_name(name)), *rest],
                        cwd=root,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                    )
                )
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def show(found: list[Freshness]) -> None:
    """A table of medians, and the whole time of every file."""
    table = Table("part", "median s", title="From a dropped file to an answer that cites it")
    names = list(dict.fromkeys(name for item in found for name in item.parts))
    for name in names:
        median = statistics.median(item.parts.get(name, 0.0) for item in found)
        table.add_row(name, f"{median:.2f}")
    table.add_section()
    table.add_row("all", f"{statistics.median(item.seconds for item in found):.2f}")
    console = Console()
    console.print(table)
    console.print("each: " + ", ".join(f"{item.seconds:.1f} s" for item in found))


if __name__ == "__main__":
    sys.exit(main())
