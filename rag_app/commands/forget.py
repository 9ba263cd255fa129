"""``ragline forget``."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_app.output import AsJson, print_json, print_table
from rag_assets.platform.wording import counted

if TYPE_CHECKING:
    from datetime import datetime

    from rag_assets.erasure.requests import ErasureRequest
    from rag_assets.platform.platform import Platform
    from rag_jobs.forgetting.forget import Preview

NEEDS_CONSENT = 2


def forget(
    document_id: Annotated[
        str, typer.Argument(help="Id of the document, e.g. handbook/leave.md.")
    ] = "",
    reason: Annotated[
        str, typer.Option("--reason", help="Why; kept with the receipt, so quote nothing.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    allow_again: Annotated[
        bool, typer.Option("--allow-again", help="Let a forgotten document be read again.")
    ] = False,
    list_requests: Annotated[
        bool, typer.Option("--list", help="Show what was asked for, and when it is due.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove every trace of a document, search for what is left, and print the receipt.

    The document goes from the index, every retained release, the tables, the query log, the
    evaluations, the golden questions and the Dagster events. Its source is not touched; the
    document is not read from there again.
    """
    from rag_assets.platform.errors import InvalidQuestion
    from rag_assets.platform.platform import Platform

    platform = Platform.load()
    if list_requests:
        _list(platform, as_json)
    elif not document_id:
        raise InvalidQuestion("No document is named.", "ragline forget <source>/<path>, or --list.")
    elif allow_again:
        _allow_again(platform, document_id, as_json)
    else:
        _forget(platform, document_id, reason, yes=yes, as_json=as_json)


def _forget(
    platform: "Platform", document_id: str, reason: str, *, yes: bool, as_json: bool
) -> None:
    from getpass import getuser

    from rag_jobs.forgetting.forget import forget as run_forget
    from rag_jobs.forgetting.forget import preview

    if not yes:
        _ask(preview(platform, document_id), as_json)
    try:
        if as_json:
            request = run_forget(platform, document_id, actor=getuser(), reason=reason)
        else:
            request = _with_progress(platform, document_id, getuser(), reason)
    finally:
        platform.close()
    receipt = request.receipt or {}
    if as_json:
        print_json(receipt)
    else:
        _print_receipt(receipt)
    if not receipt["complete"]:
        typer.echo(
            "Traces are left; the request stays open. End what still writes there (runs, servers), "
            "remove what is named above, and run the command again.",
            err=True,
        )
        sys.exit(1)


def _with_progress(platform: "Platform", document_id: str, actor: str, reason: str) -> Any:
    from rich.console import Console

    from rag_jobs.forgetting.forget import forget as run_forget

    with Console(stderr=True).status("forgetting") as status:

        def report(stage: str, done: int, total: int) -> None:
            status.update(f"{stage} ({done} of {total})")

        return run_forget(platform, document_id, actor=actor, reason=reason, report=report)


def _ask(seen: "Preview", as_json: bool) -> None:
    """Show what would go, and go on only with a person's consent."""
    if as_json or not sys.stdin.isatty():
        typer.echo("Nothing was removed: add --yes to remove a document without asking.", err=True)
        sys.exit(NEEDS_CONSENT)
    title = ", ".join(seen.subject.titles) or "title unknown"
    rows = [(place, found.traces, found.searched) for place, found in seen.found.items()]
    print_table(f"{seen.subject.document_id} ({title})", ["place", "traces", "searched"], rows)
    for copy in seen.copies:
        typer.echo(f"{copy} has the same content and stays.")
    if seen.listed:
        typer.echo("Its source still lists it and is not touched; it will not be read again.")
    if not typer.confirm("Remove every trace? This cannot be taken back."):
        typer.echo("Nothing was removed.", err=True)
        sys.exit(NEEDS_CONSENT)


def _print_receipt(receipt: dict[str, Any]) -> None:
    columns = ["place", "before", "removed", "after", "searched"]
    rows = [[place[name] for name in columns] for place in receipt["places"]]
    searched = receipt["byte_search"]
    volume = f"{counted(searched['files'], 'file')}, {counted(searched['bytes'], 'byte')}"
    rows.append(
        [f"bytes, {counted(receipt['phrases'], 'phrase')}", "", "", _left(searched), volume]
    )
    print_table(f"Receipt {receipt['request_id']}: {receipt['document_id']}", columns, rows)
    for name in searched["found_in"]:
        typer.echo(f"Found in {name}")
    for name in searched["unreadable"]:
        typer.echo(f"Cannot be read: {name}")
    kept = [*(line for place in receipt["places"] for line in place["kept"]), *receipt["kept"]]
    for line in kept:
        typer.echo(f"Kept: {line}")
    typer.echo("Outside the reach of this command:")
    for line in receipt["outside"]:
        typer.echo(f"  {line}")
    if receipt["complete"]:
        nothing = "Nothing was left of it" if receipt["nothing_found"] else "Every trace is gone"
        typer.echo(f"{nothing}. The receipt is stored: ragline forget --list.")


def _left(searched: dict[str, Any]) -> int:
    return len(searched["found_in"]) + len(searched["unreadable"])


def _allow_again(platform: "Platform", document_id: str, as_json: bool) -> None:
    from rag_assets.erasure.requests import ErasureRequests
    from rag_assets.platform.errors import InvalidQuestion

    if not ErasureRequests(platform.database).lift(document_id):
        raise InvalidQuestion(
            f"'{document_id}' is not among the forgotten documents.", "See 'ragline forget --list'."
        )
    if as_json:
        print_json({"document_id": document_id, "allowed": True})
    else:
        typer.echo(f"{document_id} may be read again; the next 'ragline ingest' does.")


def _list(platform: "Platform", as_json: bool) -> None:
    from dataclasses import asdict

    from rag_assets.erasure.requests import ErasureRequests

    requests = ErasureRequests(platform.database).all()
    if as_json:
        print_json([asdict(request) for request in requests])
        return
    columns = ["id", "document", "asked for", "state", "by", "why"]
    rows = [
        (item.id, item.document_id, _day(item.requested_at), _state(item), item.actor, item.reason)
        for item in requests
    ]
    print_table("Documents to forget", columns, rows)


def _state(request: "ErasureRequest") -> str:
    from datetime import UTC, datetime

    if request.lifted_at:
        return f"allowed again {_day(request.lifted_at)}"
    if request.completed_at:
        return f"done {_day(request.completed_at)}"
    overdue = datetime.now(UTC) > request.due_at
    return f"{'OVERDUE since' if overdue else 'due'} {_day(request.due_at)}"


def _day(moment: "datetime") -> str:
    return f"{moment:%Y-%m-%d}"
