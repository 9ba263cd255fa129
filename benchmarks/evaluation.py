"""Evaluation: how much of its time is encoding and search, and how much is everything else?

Encoding and search alone is what an evaluation cannot do without: every question encoded in batches
and searched in both legs, and the sample of searches that are timed one by one. Both sides are run
in turn by one engine, after a warm-up; the medians count. The whole command is timed besides, in a
process of its own.

Run in the folder of a deployment that holds the documents of the set:
``python -m benchmarks.evaluation --dataset FOLDER [--runs 5] [--json]``.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from evals.golden_questions.questions import load_questions
from evals.retrieval_evaluation.evaluate import evaluate
from evals.retrieval_evaluation.retrieve import callers_of, measure_latency, retrieve_all
from rag_assets.platform.platform import Platform
from rag_assets.query.engine import QueryEngine
from rag_assets.query.pinned import pinned_engine, without_groups

K = 10
MOST_OVERHEAD = 0.20


def silent(doing: str, done: int, total: int) -> None:
    """Show nothing."""


def seconds(work: Callable[[], object]) -> float:
    """How long something takes once."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure(
    platform: Platform, engine: QueryEngine, questions: pl.DataFrame, runs: int
) -> dict[str, float]:
    """Median seconds of encoding and search alone, and of the whole evaluation."""
    caller = without_groups(platform)
    callers = callers_of(questions, caller)

    def alone() -> None:
        retrieve_all(engine, questions, callers, None, silent)
        measure_latency(engine, questions, callers, K, silent)

    def whole() -> None:
        evaluate(engine, questions, caller, settings=platform.settings.query, dataset="set", k=K)

    seconds(whole)
    pairs = [(seconds(alone), seconds(whole)) for _ in range(runs)]
    return {
        "encoding_and_search": statistics.median(pair[0] for pair in pairs),
        "evaluation": statistics.median(pair[1] for pair in pairs),
        "overhead": statistics.median(1 - pair[0] / pair[1] for pair in pairs),
    }


def command(dataset: Path, runs: int) -> float:
    """Median seconds of ``ragline evaluate``, its start included."""
    arguments = [
        sys.executable,
        "-m",
        "rag_app.cli",
        "evaluate",
        "--dataset",
        str(dataset),
        "--json",
    ]

    def run() -> None:
        subprocess.run(arguments, check=True, capture_output=True)

    return statistics.median(seconds(run) for _ in range(runs))


def main() -> int:
    """Measure and print; the exit code says whether the overhead is small enough."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    platform = Platform.load()
    questions = load_questions(options.dataset, next(iter(platform.settings.sources)))
    judged = questions.filter(pl.col("answerable").is_not_null())
    figures = measure(platform, pinned_engine(platform), judged, options.runs)
    figures["command"] = command(options.dataset.absolute(), options.runs)
    if options.json:
        print(json.dumps({"questions": judged.height, **figures}, indent=2))
    else:
        table = Table("", "median", title=f"{judged.height} questions, {options.runs} runs")
        for name in ("encoding_and_search", "evaluation", "command"):
            table.add_row(name.replace("_", " "), f"{figures[name]:.2f} s")
        table.add_row("overhead", f"{figures['overhead']:.1%} (limit {MOST_OVERHEAD:.0%})")
        Console(width=100).print(table)
    return int(figures["overhead"] > MOST_OVERHEAD)


if __name__ == "__main__":
    sys.exit(main())
