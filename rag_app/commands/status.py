"""``ragline status`` and ``ragline plan``."""

from typing import Annotated, Any

import typer

from rag_app.output import AsJson, print_json, print_table


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
    release = found["release"]
    text = f"{release['id']}, {found['chunks']} chunks" if release else "none yet"
    typer.echo(f"Live release: {text}")


def plan(
    source: Annotated[str, typer.Option("--source", help="Only this source.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show what 'ragline ingest' would do, and why, without doing it."""
    from rag_assets.platform.platform import Platform
    from rag_jobs.pending import find_pending

    pending = find_pending(Platform.load(), source or None)
    shards: list[dict[str, Any]] = [
        {
            "partition": shard.partition,
            "listed": shard.listed,
            "added": shard.added,
            "changed": shard.changed,
            "deleted": shard.deleted,
            "stages": list(shard.stages),
            "reasons": list(shard.reasons),
            "unavailable": shard.unavailable,
            "retired": shard.retired,
        }
        for shard in pending.shards
    ]
    if as_json:
        print_json(
            {
                "nothing_to_do": pending.nothing,
                "shards": shards,
                "release": {"due": pending.release_due, "reason": pending.release_reason},
            }
        )
        return
    if pending.nothing and not pending.unavailable:
        typer.echo("Nothing to do: the live release is up to date.")
        return
    print_table(
        "Pending",
        ["shard", "listed", "added", "changed", "deleted", "stages", "why"],
        [
            (
                item["partition"],
                item["listed"],
                item["added"],
                item["changed"],
                item["deleted"],
                ", ".join(item["stages"]),
                item["unavailable"] or "; ".join(item["reasons"]),
            )
            for item in shards
            if item["stages"] or item["unavailable"]
        ],
    )
    if pending.release_due:
        typer.echo(f"A release is due: {pending.release_reason}.")
