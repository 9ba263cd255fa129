"""Parsing throughput: our workers, isolation included, against raw kreuzberg.

Raw is kreuzberg alone in one process per core, the files dealt out beforehand, nothing to protect
it from a file that hangs or crashes. ``raw markdown`` is what a program does that asks kreuzberg
for Markdown; ``raw same`` asks for what our workers ask for (page texts of PDFs, which are much
cheaper), and is the limit that counts. Images are left out of all: there is no OCR data.
The start of the processes is included everywhere.

Corpora: ``parse`` is all of it, ``office`` its PDF, Office, mail and e-book files (where kreuzberg
does all the work), ``handbook`` the Markdown files of a company handbook.

Run: ``python -m benchmarks.parsing [--runs 3] [--json]``.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from rag_assets.parsed_documents import formats
from rag_assets.parsed_documents.outcome import Failure
from rag_assets.parsed_documents.workers import Job, Limits, run_jobs
from rag_assets.raw_documents.media_types import media_type_of

DATA = Path(__file__).parents[1] / "../shared/data"
TARGET = 0.7
OFFICE = {"pdf", "docx", "pptx", "xlsx", "xlsm", "doc", "ppt", "xls", "odt", "ods", "eml", "msg", "epub", "rtf"}  # fmt: skip # noqa: E501


def raw_worker(paths: Sequence[str], same: bool) -> int:
    """Read files with kreuzberg alone; returns how many gave a text."""
    import kreuzberg

    def config(path: str) -> Any:
        pdf = same and path.lower().endswith(".pdf")
        return kreuzberg.ExtractionConfig(
            use_cache=False,
            output_format="plain" if pdf else "markdown",
            pages=kreuzberg.PageConfig(extract_pages=True) if pdf else None,
            concurrency=kreuzberg.ConcurrencyConfig(max_threads=1),
        )

    read = 0
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # kreuzberg reports missing OCR data there
    for path in paths:
        try:
            kreuzberg.extract_file_sync(path, config=config(path))
        except (kreuzberg.KreuzbergError, RuntimeError, ValueError, OSError):
            continue
        read += 1
    return read


def run_raw(files: Sequence[Path], same: bool) -> int:
    """One process per core, every n-th file to each."""
    cores = len(os.sched_getaffinity(0))
    shares = [[str(path) for path in files[core::cores]] for core in range(cores)]
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        return sum(pool.starmap(raw_worker, [(share, same) for share in shares]))


def run_ours(jobs: Sequence[Job], paths: dict[str, Path]) -> int:
    """Our workers with their defaults."""
    outcomes = run_jobs(jobs, paths.__getitem__, Limits())
    return sum(not isinstance(outcome, Failure) for _, outcome in outcomes)


def median_seconds(work: Callable[[], int], runs: int) -> tuple[float, int]:
    """The median wall time of some runs, and the number of files read."""
    seconds: list[float] = []
    read = 0
    for _ in range(runs):
        started = time.perf_counter()
        read = work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), read


def measure(name: str, files: Sequence[Path], runs: int) -> dict[str, Any]:
    """All three on one corpus."""
    contents = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    jobs = [
        Job(sha256, media_type_of(path.name), path.name, path.stat().st_size)
        for path, sha256 in contents.items()
    ]
    by_hash = {sha256: path for path, sha256 in contents.items()}
    ours, read = median_seconds(lambda: run_ours(jobs, by_hash), runs)
    same, read_same = median_seconds(lambda: run_raw(files, True), runs)
    markdown, read_markdown = median_seconds(lambda: run_raw(files, False), runs)
    return {
        "corpus": name,
        "files": len(files),
        "megabytes": round(sum(path.stat().st_size for path in files) / 1e6, 1),
        "read": {"ours": read, "raw same": read_same, "raw markdown": read_markdown},
        "seconds": {
            "ours": round(ours, 3),
            "raw same": round(same, 3),
            "raw markdown": round(markdown, 3),
        },
        "share_of_raw": round(same / ours, 3),
    }


def corpora(folder: Path) -> dict[str, list[Path]]:
    """The files of each corpus; the handbook is checked out into ``folder``."""
    kind = {
        path: formats.claimed_format(media_type_of(path.name), path.name)
        for path in sorted((DATA / "parse").rglob("*"))
        if path.is_file()
    }
    bundle = DATA / "history/handbook.bundle"
    subprocess.run(["git", "clone", "--quiet", str(bundle), str(folder)], check=True)
    return {
        "parse": [path for path, name in kind.items() if name != formats.IMAGE],
        "office": [path for path, name in kind.items() if name in OFFICE],
        "handbook": sorted(folder.rglob("*.md")),
    }


def show(results: Sequence[dict[str, Any]]) -> None:
    """Print the table."""
    table = Table(title="Parsing: median seconds (files read)")
    for column in ("corpus", "files", "MB", "ours", "raw same", "raw markdown", "share of raw"):
        table.add_column(column, justify="left" if column == "corpus" else "right")
    for result in results:
        cells = [
            f"{result['seconds'][who]:.2f} ({result['read'][who]})"
            for who in ("ours", "raw same", "raw markdown")
        ]
        enough = result["share_of_raw"] >= TARGET
        share = f"[{'green' if enough else 'red'}]{result['share_of_raw']:.0%}"
        table.add_row(
            result["corpus"], str(result["files"]), f"{result['megabytes']:.0f}", *cells, share
        )
    Console().print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Parsing throughput against raw kreuzberg.")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print figures instead of a table")
    arguments = parser.parse_args()
    if not DATA.is_dir():
        raise SystemExit("This benchmark needs the folder ../shared/data.")
    with tempfile.TemporaryDirectory() as folder:
        results = [
            measure(name, files, arguments.runs)
            for name, files in corpora(Path(folder) / "handbook").items()
        ]
    if arguments.json:
        print(json.dumps({"target": TARGET, "results": results}, indent=2))
    else:
        show(results)


if __name__ == "__main__":
    main()
