"""``ragline audit``."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from rag_app.output import AsJson, print_json, print_table

app = typer.Typer(help="Who asked or changed what.", no_args_is_help=True)


@app.command("list")
def list_entries(
    principal: Annotated[
        str, typer.Option("--principal", help="Only of this one, e.g. key:1a2b3c or user:mia.")
    ] = "",
    action: Annotated[
        str, typer.Option("--action", help="Only this action; 'release.' is all that begin so.")
    ] = "",
    target: Annotated[
        str, typer.Option("--target", help="Only about this document, answer, release or key.")
    ] = "",
    outcome: Annotated[str, typer.Option("--outcome", help="ok, denied or failed.")] = "",
    since: Annotated[
        datetime | None, typer.Option("--since", help="From this time on (UTC), included.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", help="Up to this time (UTC), not included.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="Most entries.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List entries of the audit log, newest first."""
    from rag_assets.platform.platform import Platform
    from rag_assets.service_records.audit import AuditLog

    found = AuditLog(Platform.load().database).entries(
        principal=principal,
        action=action,
        target=target,
        outcome=outcome,
        since=since and since.replace(tzinfo=UTC),
        until=until and until.replace(tzinfo=UTC),
        limit=limit,
    )
    if as_json:
        print_json([{**asdict(entry), "at": entry.at.isoformat()} for entry in found])
        return
    rows = [
        (
            f"{entry.at:%Y-%m-%d %H:%M:%S}",
            entry.principal,
            entry.action,
            entry.target,
            entry.release_id,
            entry.outcome,
            entry.request_id,
        )
        for entry in found
    ]
    columns = ["at (UTC)", "principal", "action", "target", "release", "outcome", "request"]
    print_table("Audit log", columns, rows)
