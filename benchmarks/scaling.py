"""What a tick, a run with nothing to do and one edited document cost, by documents and shards.

Every combination of sizes and shards is a deployment of short documents (one chunk each) in one
folder source; vectors are made up from the text (see ``benchmarks.promotion``), everything else is
the real thing: sources, stages, LanceDB, candidate, gates, promotion. Each is measured in a process
of its own and its figures are kept in a file, so that an interrupted run goes on where it stopped.

CPU seconds are those of all threads of the process: they say what the work costs where wall time
depends on who else uses the machine.

Run: ``python -m benchmarks.scaling [--documents 1000 10000 100000] [--shards 1 16 64]
[--limit-minutes 30] [--again] [--json]``.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.promotion import STAGES, WORDS, files, made_up
from rag_assets.encoders.compiled import CompiledEncoder
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings, SourceSettings
from rag_assets.platform.stage import StageRun
from rag_assets.raw_documents.sources import partition_keys
from rag_assets.releases.candidate import release_candidate
from rag_jobs.pending import find_pending

TIMES = 3
FOLDER_OF = 1000
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Cost:
    """What one thing cost: medians of wall seconds and CPU seconds."""

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Scale:
    """The figures of one deployment.

    Attributes:
        documents, shards: its size.
        commit: of the code.
        build: from nothing to the first release.
        tick: ``find_pending`` when nothing has changed.
        no_op_run: the five stages of one shard and the candidate, with nothing to do.
        no_op_command: the process ``ragline ingest`` with nothing to do, its start included.
        change: tick, stages and release after one document was edited.
        changed_megabytes: written by that, blobs left out.
        peak_megabytes: resident memory of the process at most.
        shard_megabytes: the table files of the largest shard.
    """

    documents: int
    shards: int
    commit: str
    build: Cost
    tick: Cost
    no_op_run: Cost
    no_op_command: Cost
    change: Cost
    changed_megabytes: float
    peak_megabytes: float
    shard_megabytes: float


def document(number: int, edition: int) -> str:
    """A document of one chunk; an edition changes its text."""
    words = [WORDS[(number * 7 + i * i * (1 + number % 5)) % len(WORDS)] for i in range(24)]
    told = f"edition {edition} " if edition else ""
    return f"# Document {number}\n\nNumber {number} {told}{' '.join(words)}.\n"


def path_of(folder: Path, number: int) -> Path:
    """Where a document lies: a thousand a folder."""
    return folder / f"{number // FOLDER_OF:04d}" / f"{number:07d}.md"


def configuration(folder: Path, documents: int, shards: int) -> Platform:
    """The deployment's settings, and its documents where they are missing."""
    source = folder / "documents"
    for number in range(documents):
        path = path_of(source, number)
        if number % FOLDER_OF == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(document(number, 0), encoding="utf-8")
    text = (
        f'home = "home"\n[sources.docs]\npath = "documents"\nacl = ["public"]\nshards = {shards}\n'
    )
    (folder / "ragline.toml").write_text(text, encoding="utf-8")
    docs = SourceSettings(path=str(source), acl=["public"], shards=shards)
    return Platform(Settings(home=str(folder / "home"), sources={"docs": docs}))


def taken(action: Callable[[], object], times: int = TIMES) -> Cost:
    """Medians of some repetitions."""
    wall, cpu = [], []
    for _ in range(times):
        started, cpu_started = time.perf_counter(), time.process_time()
        action()
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - cpu_started)
    return Cost(round(median(wall), 3), round(median(cpu), 3))


def bring_in_step(platform: Platform, run_id: str) -> None:
    """Everything that is pending, and the release."""
    for shard in find_pending(platform).work:
        for run in STAGES.values():
            run(StageRun(platform, shard.partition, run_id))
    promotion = release_candidate(platform, run_id)
    if not promotion.promoted:
        raise SystemExit(f"The release was not promoted: {promotion.release.reason}")


def no_op(platform: Platform) -> None:
    """What a run does that was started without need."""
    for run in STAGES.values():
        run(StageRun(platform, partition_keys(platform.settings)[0], "nothing"))
    if release_candidate(platform, "nothing").created:
        raise SystemExit("There was something to release.")


def command(folder: Path) -> Cost:
    """``ragline ingest`` with nothing to do, as a process."""
    environment = {**os.environ, "RAG_CONFIG": str(folder / "ragline.toml")}
    arguments = [sys.executable, "-m", "rag_app.cli", "ingest", "--json"]
    wall, cpu = [], []
    for _ in range(TIMES):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        done = subprocess.run(arguments, env=environment, cwd=ROOT, capture_output=True, check=True)
        wall.append(time.perf_counter() - started)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if json.loads(done.stdout)["runs"]:
            raise SystemExit("'ragline ingest' found something to do.")
    return Cost(round(median(wall), 3), round(median(cpu), 3))


def change(platform: Platform, documents: int) -> tuple[Cost, float]:
    """Edit one document and bring it to the readers, some times."""
    home = Path(platform.settings.home_location)
    found, written = [], []
    for edition in range(1, TIMES + 1):
        before = files(home)
        number = documents // 2 + edition
        path = path_of(Path(platform.settings.sources["docs"].path), number)
        path.write_text(document(number, time.time_ns()), encoding="utf-8")
        found.append(taken(lambda run_id=f"edit-{edition}": bring_in_step(platform, run_id), 1))
        after = files(home)
        changed = (path for path, seen in after.items() if before.get(path) != seen)
        written.append(sum(after[path][0] for path in changed if "blobs" not in path.parts) / 1e6)
    cost = Cost(median(cost.seconds for cost in found), median(cost.cpu_seconds for cost in found))
    return cost, round(median(written), 3)


def measure(folder: Path, models: Path, documents: int, shards: int) -> Scale:
    """Build a deployment, or finish it, and measure it."""
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "models").is_symlink():
        (home / "models").symlink_to(models, target_is_directory=True)
    CompiledEncoder.encode = made_up  # type: ignore[assignment,method-assign]
    platform = configuration(folder, documents, shards)
    build = taken(lambda: bring_in_step(platform, "build"), 1)
    tick = taken(lambda: find_pending(platform))
    no_op_run = taken(lambda: no_op(platform))
    no_op_command = command(folder)
    changed, megabytes = change(platform, documents)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    sizes: dict[str, int] = {}
    for path in (home / "tables").rglob("*.parquet"):
        sizes[path.stem] = sizes.get(path.stem, 0) + path.stat().st_size
    return Scale(
        documents=documents,
        shards=shards,
        commit=commit(),
        build=build,
        tick=tick,
        no_op_run=no_op_run,
        no_op_command=no_op_command,
        change=changed,
        changed_megabytes=megabytes,
        peak_megabytes=round(peak),
        shard_megabytes=round(max(size for name, size in sizes.items() if "docs" in name) / 1e6, 2),
    )


def commit() -> str:
    """The commit of the code that is measured; ``+`` when files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def main() -> int:
    """Measure every combination that has no figures yet, and print the table."""
    parser = argparse.ArgumentParser(description="Cost by documents and shards.")
    parser.add_argument("--documents", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--shards", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--state", default=".ragline/benchmarks/scaling")
    parser.add_argument("--models", default=".ragline/models", help="folder of exported encoders")
    parser.add_argument("--limit-minutes", type=float, default=30, help="of one combination")
    parser.add_argument("--again", action="store_true", help="measure what has figures too")
    parser.add_argument("--keep", action="store_true", help="keep the deployments")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    state, models = Path(arguments.state).absolute(), Path(arguments.models).absolute()
    if arguments.one:
        (documents,), (shards,) = arguments.documents, arguments.shards
        found = measure(state / f"{documents}-{shards}", models, documents, shards)
        written = state / f"{documents}-{shards}.json"
        written.write_text(json.dumps(asdict(found), indent=2), encoding="utf-8")
        return 0
    combinations = [(d, s) for d in arguments.documents for s in arguments.shards]
    failed = [
        f"{documents} documents in {shards} shards: {why}"
        for documents, shards in combinations
        if (why := measured_apart(state, models, documents, shards, arguments))
    ]
    results = [state / f"{documents}-{shards}.json" for documents, shards in combinations]
    rows = [json.loads(path.read_text()) for path in results if path.exists()]
    if arguments.json:
        print(json.dumps(rows, indent=2))
    else:
        print_table(rows)
    for line in failed:
        print(line, file=sys.stderr)
    return 1 if failed else 0


def measured_apart(
    state: Path, models: Path, documents: int, shards: int, arguments: argparse.Namespace
) -> str:
    """Measure one combination in a process of its own; returns why there are no figures, or ''."""
    name = f"{documents}-{shards}"
    result = state / f"{name}.json"
    if result.exists() and not arguments.again:
        return ""
    state.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "benchmarks.scaling", "--one", "--state", str(state)]
    command += ["--models", str(models), "--documents", str(documents), "--shards", str(shards)]
    try:
        done = subprocess.run(command, timeout=arguments.limit_minutes * 60, check=False)
    except subprocess.TimeoutExpired:
        return f"stopped after {arguments.limit_minutes:g} minutes; run it again to go on"
    if not arguments.keep and done.returncode == 0:
        shutil.rmtree(state / name)
    return f"exit code {done.returncode}" if done.returncode else ""


def print_table(rows: list[dict]) -> None:
    """Wall seconds, with the CPU seconds in brackets."""
    heads = (
        "documents",
        "shards",
        "tick",
        "no-op run",
        "no-op ingest",
        "one change",
        "MB",
        "RSS MB",
    )
    table = Table(*heads, title="Seconds (CPU seconds)")
    for row in rows:
        costs = [row[name] for name in ("tick", "no_op_run", "no_op_command", "change")]
        told = [f"{cost['seconds']:.2f} ({cost['cpu_seconds']:.2f})" for cost in costs]
        size = f"{row['documents']:,}", str(row["shards"])
        table.add_row(*size, *told, f"{row['changed_megabytes']:.1f}", str(row["peak_megabytes"]))
    Console(width=130).print(table)
    commits = ", ".join(sorted({row["commit"] for row in rows}))
    print(f"commit {commits}; python -m benchmarks.scaling")


if __name__ == "__main__":
    sys.exit(main())
