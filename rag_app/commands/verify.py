"""``ragline verify``."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_app.output import AsJson, print_json, print_table

if TYPE_CHECKING:
    from rag_assets.verification.base import Verification
    from rag_jobs.repair import Repair


def verify(
    release: Annotated[
        int, typer.Option("--release", min=0, help="This release instead of the live one.")
    ] = 0,
    every: Annotated[bool, typer.Option("--all", help="Every release that can be read.")] = False,
    mend: Annotated[
        bool, typer.Option("--repair", help="Build again what disagrees, and only that.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare releases with the registry, the tables and their own hashes."""
    from rag_app.progress import counting_bars
    from rag_assets.platform.platform import Platform
    from rag_assets.verification.verify import verify as run_verify
    from rag_jobs.repair import repair

    if release and every:
        raise typer.BadParameter("give --release or --all, not both")
    platform = Platform.load()
    done: Repair | None = None
    with counting_bars(enabled=not as_json) as progress:
        found = run_verify(platform, release or ("all" if every else "live"), progress)
        if mend and not found.ok:
            done = repair(platform, found, progress)
    if as_json:
        print_json({**found.to_dict(), "repair": done.to_dict() if done else None})
    else:
        _show(found)
        if done is not None:
            _show_repair(done)
    if not (done.ok if done else found.ok):
        sys.exit(1)


def _show(found: "Verification") -> None:
    if found.disagreements:
        rows = [
            (item.kind, item.place, item.what, item.repair or "needs a person")
            for item in found.disagreements
        ]
        columns = ["kind", "where", "what", "what --repair does"]
        print_table(f"{len(rows)} disagreements", columns, rows)
    compared: list[tuple[str, Any]] = [*found.compared.items(), ("seconds", found.seconds)]
    print_table("Compared", ["what", "how many"], compared)
    for title, lines in (("Outstanding", found.pending), ("Not compared", found.skipped)):
        if lines:
            print_table(title, [""], [(line,) for line in lines])
    if found.ok:
        typer.echo("Everything agrees.")


def _show_repair(done: "Repair") -> None:
    lines = [("done", item) for item in done.done] + [("left", item) for item in done.given_up]
    print_table("Repair", ["", "what"], lines)
    if done.after is not None:
        _show(done.after)
