"""``ragline plan``."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_app.output import AsJson, print_json, print_table
from rag_app.progress import counting_bars
from rag_assets.platform.wording import agreeing, counted

if TYPE_CHECKING:
    from rag_jobs.pending import Pending
    from rag_jobs.planning.plan import Plan


def plan(
    source: Annotated[str, typer.Option("--source", help="Only this source.")] = "",
    full: Annotated[
        bool, typer.Option("--full", help="Plan 'ragline ingest --full': do everything again.")
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Estimate, without reading or splitting any text.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what 'ragline ingest' would do, how long it takes and what it costs, without doing it.

    A change of the configuration is planned by naming it in the environment, e.g.
    RAG_CHUNKING__MAX_TOKENS=120 ragline plan.
    """
    from rag_assets.platform.platform import Platform
    from rag_jobs.pending import find_pending
    from rag_jobs.planning.plan import plan_work

    platform = Platform.load()
    pending = find_pending(platform, source or None)
    with counting_bars(enabled=not as_json) as progress:
        work = plan_work(platform, pending, exact=not quick, full=full, progress=progress)
    if as_json:
        print_json(
            {
                "nothing_to_do": pending.nothing and not full,
                "shards": _shards(pending),
                "release": {"due": pending.release_due, "reason": pending.release_reason},
                "work": work.to_dict(),
            }
        )
        return
    if pending.nothing and not pending.unavailable and not full:
        typer.echo(_nothing(pending))
        return
    _show_shards(pending)
    if work.shards:
        _show_work(work)
    if pending.release_reason:
        said = "A release is due" if pending.release_due else "No release is due"
        typer.echo(f"{said}: {pending.release_reason}.")


def _nothing(pending: "Pending") -> str:
    if pending.release_reason:
        return f"Nothing to do: {pending.release_reason}."
    return "Nothing to do: the live release is up to date."


def _shards(pending: "Pending") -> list[dict[str, Any]]:
    return [
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


def _show_shards(pending: "Pending") -> None:
    rows = [
        (
            shard.partition,
            shard.listed,
            shard.added,
            shard.changed,
            shard.deleted,
            ", ".join(shard.stages),
            shard.unavailable or "; ".join(shard.reasons),
        )
        for shard in pending.shards
        if shard.stages or shard.unavailable
    ]
    if rows:
        columns = ["shard", "listed", "added", "changed", "deleted", "stages", "why"]
        print_table("Pending", columns, rows)


def _show_work(plan: "Plan") -> None:
    """The numbers, and what they rest on."""
    about = "" if plan.exact else "about "
    low, high = plan.total("embed_low"), plan.total("embed_high")
    likely = "" if low == high else f" ({low:,} to {high:,})"
    hits = plan.total("cache_hits")
    time, money, disk = plan.time, plan.money, plan.disk
    rows = [
        (
            "parse",
            f"{counted(plan.total('parse'), 'document')}; {plan.total('reuse'):,} "
            f"{agreeing(plan.total('reuse'), 'was', 'were')} only renamed",
        ),
        (
            "split",
            f"{counted(plan.total('split'), 'document')}; "
            f"{about}{counted(plan.total('chunks'), 'chunk')} then",
        ),
        (
            "encode",
            f"{about}{counted(plan.total('embed'), 'text')}{likely}, "
            f"{counted(plan.total('tokens'), 'token')}",
        ),
        (
            "cache hits",
            f"{about}{counted(hits, 'text')} {agreeing(hits, 'has', 'have')} a vector already",
        ),
        (
            "index",
            f"{about}{counted(plan.total('rows'), 'row')}" + (" of a new table" * disk.new_table),
        ),
        ("time", f"about {_duration(time.seconds)}; {_rates(plan)}"),
        ("money", f"{money.usd:,.4f} USD; {money.why}" if money.usd else f"0 USD; {money.why}"),
        ("disk", f"about {_bytes(disk.total)}; {disk.why}"),
    ]
    if disk.freed_later:
        rows.append(("freed later", f"about {_bytes(disk.freed_later)}"))
    print_table("Work", ["", ""], rows)
    for note in plan.notes:
        typer.echo(f"Note: {note}.")


def _rates(plan: "Plan") -> str:
    guessed = [stage for stage, rate in plan.time.rates.items() if not rate.measured]
    if not guessed:
        return "as measured in this deployment"
    return f"measured, but for {', '.join(guessed)}: default rates of two CPU cores"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _bytes(number: float) -> str:
    for unit in ("B", "KB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
