"""``ragline ingest``."""

import sys
from typing import Annotated

import typer

from rag_app.output import AsJson, print_json, print_table


def ingest(
    source: Annotated[str, typer.Option("--source", help="Only this source.")] = "",
    full: Annotated[
        bool, typer.Option("--full", help="Read, parse, split and encode everything again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the released index in step with the sources, through Dagster."""
    from rag_app.progress import progress_bars
    from rag_assets.platform.platform import Platform
    from rag_jobs.ingest import ingest as run_ingest

    platform = Platform.load()
    try:
        with progress_bars(not as_json) as report:
            platform.report = report
            summary = run_ingest(platform, source=source or None, full=full)
    finally:
        platform.close()
    if as_json:
        print_json(summary.to_dict())
    else:
        rows = [
            (name, value)
            for name, value in summary.to_dict().items()
            if not isinstance(value, dict | list)
        ]
        seconds = ", ".join(f"{name} {value:.1f}" for name, value in summary.seconds.items())
        print_table("Ingest", ["", ""], [*rows, ("seconds", seconds)])
    for kind, problems in (("unavailable", summary.unavailable), ("failed", summary.failed)):
        for name, reason in problems.items():
            typer.echo(f"{name} {kind}: {reason}", err=True)
    if summary.waiting:
        typer.echo(
            f"Not released: {summary.waiting}. 'ragline releases resume' lets promotions go on.",
            err=True,
        )
    if not summary.ok:
        serving = (
            "The last release keeps serving." if summary.release else "Nothing is released yet."
        )
        typer.echo(serving, err=True)
        sys.exit(1)
