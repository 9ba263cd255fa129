"""``ragline status``."""

import typer

from rag_app.output import AsJson, print_json, print_table
from rag_assets.platform.wording import agreeing, counted


def status(as_json: AsJson = False) -> None:
    """Show what became of every document, and the live release."""
    from rag_assets.platform.platform import Platform
    from rag_jobs.status import STATES, status_of

    found = status_of(Platform.load())
    if as_json:
        print_json(found)
        return
    columns = ["source", *STATES, "total"]
    rows = [
        [name, *(item[column] for column in columns[1:])] for name, item in found["sources"].items()
    ]
    rows.append(["all", *(found["documents"][column] for column in columns[1:])])
    print_table("Documents", columns, rows)
    if found["quarantine"]:
        print_table(
            "Quarantine",
            ["document", "reason", "detail", "attempts", "older version serves"],
            [
                (
                    item["document_id"],
                    item["error_kind"],
                    item["error"],
                    item["attempts"],
                    "yes" if item["stale"] else "",
                )
                for item in found["quarantine"][:50]
            ],
        )
    for name, reason in found["unavailable"].items():
        typer.echo(f"{name} cannot be listed: {reason}", err=True)
    if found["forgotten"]:
        forgotten = found["forgotten"]
        typer.echo(
            f"{counted(forgotten, 'listed document')} had to be forgotten and "
            f"{agreeing(forgotten, 'is', 'are')} not read."
        )
    release = found["release"]
    text = f"{release['id']}, {counted(found['chunks'], 'chunk')}" if release else "none yet"
    typer.echo(f"Live release: {text}")
