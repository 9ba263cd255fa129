"""``ragline dashboard``."""

from pathlib import Path
from typing import Annotated

import typer

from rag_app.output import AsJson, print_json


def dashboard(
    output: Annotated[
        Path | None,
        typer.Option("--output", help="Folder to write; default: dashboard in the state folder."),
    ] = None,
    single_file: Annotated[
        Path | None,
        typer.Option("--single-file", help="Write one HTML file that needs nothing else."),
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=1000, help="Days to show.")] = 90,
    open_page: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the evaluation dashboard: quality, faithfulness, latency and cost over time."""
    from datetime import UTC, datetime

    from evals.evaluation_dashboard.data import dashboard_data
    from evals.evaluation_dashboard.export import write_folder, write_single_file
    from evals.evaluation_dashboard.page import page_of
    from rag_assets.platform.platform import Platform

    platform = Platform.load()
    page = page_of(dashboard_data(platform, datetime.now(UTC), days))
    written: list[Path] = []
    if single_file is not None:
        written.append(write_single_file(page, single_file.absolute()))
    if output is not None or single_file is None:
        folder = platform.state_path / "dashboard" if output is None else output.absolute()
        written.append(write_folder(page, folder))
    if as_json:
        print_json(
            {
                "files": [str(file) for file in written],
                "url": written[0].as_uri(),
                "findings": [
                    {"status": item.status, "subject": item.subject, "text": item.text}
                    for item in page.findings
                ],
                "releases": page.data.releases.height,
                "days": page.data.days.height,
                "questions_regressed": page.data.regressed.height,
            }
        )
    else:
        for item in page.findings:
            typer.echo(f"{item.word}: {item.subject}: {item.text}")
        for file in written:
            typer.echo(f"Dashboard: {file}")
    if open_page:
        typer.launch(written[0].as_uri())
