"""``ragline plan``."""

from typing import Annotated, Any

import typer

from rag_app.output import AsJson, print_json, print_table


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
