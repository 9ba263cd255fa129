"""Progress bars on a terminal, fed by the stages' reports."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

LABELS = {
    "raw_documents": "reading",
    "parsed_documents": "parsing",
    "chunks": "splitting",
    "embeddings": "encoding",
}


@contextmanager
def progress_bars(enabled: bool) -> Iterator[Callable[[Any], None]]:
    """Give a function that shows ``stage.Report`` values; it does nothing off a terminal."""
    if not enabled or not sys.stderr.isatty():
        yield lambda report: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    bars = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    tasks: dict[tuple[str, str], Any] = {}

    def show(report: Any) -> None:
        key = (report.partition, report.stage)
        if key not in tasks:
            label = LABELS.get(report.stage, report.stage)
            tasks[key] = bars.add_task(f"{report.partition}: {label}", total=report.total or None)
        bars.update(tasks[key], completed=report.done, total=report.total or None)

    with bars:
        yield show


@contextmanager
def counting_bars(*, enabled: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Give a function that shows one bar for each thing that is counted: what, how many, of how many."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    console = Console(stderr=True)
    if not (enabled and console.is_terminal):
        yield lambda doing, done, total: None
        return
    tasks: dict[str, TaskID] = {}
    with Progress(console=console, transient=True) as bars:

        def show(doing: str, done: int, total: int) -> None:
            if doing not in tasks:
                tasks[doing] = bars.add_task(doing, total=total)
            bars.update(tasks[doing], completed=done)

        yield show
