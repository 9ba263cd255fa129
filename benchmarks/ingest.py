"""Whole commands, as a person waits for them: cold, nothing to do, one edit, a cold search; memory.

Every figure is the wall time of a ``ragline`` process from its start to its end, on this machine, in
this run; beside each stands the time Python itself needs to start and to import what the command
cannot do without.

Run: ``python -m benchmarks.ingest [--runs 5] [--json] [--only NAME]``.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

DATA = Path(__file__).parents[1] / "../shared/data"
COMMAND = [sys.executable, "-m", "rag_app.cli"]
SETS = ("scifact_train", "nq_open_oracle_pooled", "hotpotqa_hipporag100", "anthropic_codebase",
        "clapnq_half_a", "squad_v2_dev8")  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """One measured line: seconds or megabytes, with the limit the project has set itself."""

    name: str
    value: float
    unit: str
    limit: float | None
    note: str = ""


def run(*arguments: str, folder: Path) -> dict[str, object]:
    """Run a command and give its JSON."""
    done = subprocess.run(
        [*COMMAND, *arguments, "--json"], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{arguments} failed: {done.stdout}{done.stderr}")
    return dict(json.loads(done.stdout))


def timed(action: Callable[[], object]) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def median(action: Callable[[], object], runs: int) -> float:
    """Median seconds of several calls."""
    return statistics.median(timed(action) for _ in range(runs))


def python(code: str) -> Callable[[], object]:
    """A bare Python process, for the floor."""
    return lambda: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def deployment(folder: Path, sources: str, models: Path) -> Path:
    """A deployment that uses the model exported once for all of them."""
    folder.mkdir(parents=True)
    (folder / "ragline.toml").write_text(sources)
    (folder / ".ragline").mkdir()
    models.mkdir(exist_ok=True)
    (folder / ".ragline/models").symlink_to(models)
    return folder


def five_thousand_files(base: Path, models: Path, runs: int) -> list[Figure]:
    """Nothing to do, and one edit, over 5,000 small files."""
    folder = deployment(base / "many", '[sources.docs]\npath = "docs"\nacl = ["public"]\n', models)
    for number in range(5000):
        path = folder / f"docs/{number % 50:02}/note-{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f"# Note {number}\n\nThis is note number {number}, about room {number % 97}.\n"
        )
    run("ingest", folder=folder)
    floor = median(python("import typer, pydantic_settings, polars, sqlalchemy"), runs)
    figures = [
        Figure(
            "ingest, nothing to do, 5,000 files",
            median(lambda: run("ingest", folder=folder), runs),
            "s",
            1.5,
            f"importing its packages alone: {floor:.2f} s",
        )
    ]
    edited = iter(range(1000))

    def edit() -> None:
        (folder / "docs/07/note-7.md").write_text(
            f"# Note 7\n\nEdited for the {next(edited)}th time.\n"
        )
        found = run("ingest", folder=folder)
        assert (found["parsed"], found["embedded"]) == (1, 1), found

    figures.append(
        Figure(
            "ingest, one edit, 5,000 files",
            median(edit, runs),
            "s",
            8.0,
            f"importing Great Expectations alone: {median(python('import great_expectations'), runs):.2f} s",
        )
    )
    figures.append(
        Figure(
            "search, cold",
            median(lambda: run("search", "note about room 12", folder=folder), runs),
            "s",
            2.0,
        )
    )
    return figures


def handbook(base: Path, models: Path, runs: int) -> list[Figure]:
    """A real handbook: cold, nothing to do, one edit; orientation: CocoIndex 155, 2.3 and 12.9 s."""
    folder = deployment(
        base / "handbook", '[sources.handbook]\npath = "docs"\nacl = ["public"]\n', models
    )
    bundle = DATA / "history/handbook.bundle"
    subprocess.run(
        ["git", "clone", "--quiet", str(bundle), str(folder / "docs")],
        check=True,
        capture_output=True,
    )
    summary: dict[str, object] = {}
    cold = timed(lambda: summary.update(run("ingest", folder=folder)))
    target = max((folder / "docs").rglob("*.md"), key=lambda path: path.stat().st_size)
    edits = iter(range(1000))

    def edit() -> None:
        text = target.read_text()
        target.write_text(text.replace("\n\n", f"\n\nEdited for the {next(edits)}th time. ", 1))
        found = run("ingest", folder=folder)
        assert found["parsed"] == 1, found

    return [
        Figure(
            "handbook, cold",
            cold,
            "s",
            155.0,
            f"{summary['listed']} documents, {summary['chunks']} chunks",
        ),
        Figure(
            "handbook, nothing to do", median(lambda: run("ingest", folder=folder), runs), "s", 2.3
        ),
        Figure("handbook, one edit", median(edit, runs), "s", 12.9),
    ]


def peak_memory(process: "subprocess.Popen[bytes]") -> tuple[float, float]:
    """Peak megabytes until a process ends: its own resident memory, and its tree's (proportional)."""
    own = tree = 0.0
    parent = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            own = max(own, parent.memory_info().rss / 1e6)
            family = [parent, *parent.children(recursive=True)]
            tree = max(tree, sum(member.memory_full_info().pss for member in family) / 1e6)
        except psutil.Error:
            pass  # a child ended while it was being looked at
        time.sleep(0.05)
    return own, tree


def memory(base: Path, models: Path, runs: int) -> list[Figure]:
    """Peak memory of a cold ingest of 10,000 real passages."""
    corpora = {name: (DATA / "retrieval" / name / "corpus.jsonl").resolve() for name in SETS}
    sources = "\n".join(
        f'[sources.{name}]\nkind = "jsonl"\npath = "{path}"\nacl = ["public"]'
        for name, path in corpora.items()
    )
    folder = deployment(base / "large", sources, models)
    output = (folder / "out.json").open("wb")
    started = time.perf_counter()
    process = subprocess.Popen([*COMMAND, "ingest", "--json"], cwd=folder, stdout=output)
    own, tree = peak_memory(process)
    seconds = time.perf_counter() - started
    summary = json.loads((folder / "out.json").read_text())
    note = f"{summary['listed']} documents, {summary['chunks']} chunks in {seconds:.0f} s"
    return [
        Figure("peak memory, process tree", tree, "MB", 1500.0, note),
        Figure("peak memory, main process", own, "MB", None),
    ]


def imports(base: Path, models: Path, runs: int) -> list[Figure]:
    """Importing the Dagster definitions."""
    code = "import rag_jobs.definitions"
    return [
        Figure(
            "import rag_jobs.definitions",
            median(python(code), runs),
            "s",
            1.5,
            f"importing dagster alone: {median(python('import dagster'), runs):.2f} s",
        )
    ]


GROUPS = {"imports": imports, "many": five_thousand_files, "handbook": handbook, "memory": memory}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", choices=GROUPS)
    options = parser.parse_args()
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    with tempfile.TemporaryDirectory(prefix="ragline-bench-") as name:
        base = Path(name)
        chosen = [options.only] if options.only else list(GROUPS)
        needs_data = {"handbook", "memory"}
        if not DATA.is_dir():
            chosen = [group for group in chosen if group not in needs_data]
        figures = [
            figure
            for group in chosen
            for figure in GROUPS[group](base, base / "models", options.runs)
        ]
    if options.json:
        print(json.dumps([asdict(figure) for figure in figures], indent=2))
        return
    table = Table("", "median", "limit", "note", title=f"Whole commands, {options.runs} runs")
    for figure in figures:
        limit = "" if figure.limit is None else f"{figure.limit:g} {figure.unit}"
        table.add_row(figure.name, f"{figure.value:.2f} {figure.unit}", limit, figure.note)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
