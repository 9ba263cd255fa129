"""``ragline releases``."""

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_app.commands import releases_diff, releases_replay
from rag_app.output import AsJson, print_json, print_table
from rag_assets.platform.wording import counted

if TYPE_CHECKING:
    from rag_assets.releases.history import Hold, ReleaseEvent
    from rag_assets.releases.release import Release

app = typer.Typer(help="The releases of the index.", no_args_is_help=True)
app.command("diff")(releases_diff.diff)
app.command("replay")(releases_replay.replay)

ReleaseId = Annotated[int, typer.Argument(help="The release's id.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the history.")]


@app.command("list")
def list_releases(
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most releases.")] = 50,
    before: Annotated[
        int, typer.Option("--before", min=0, help="Only older ones than this release.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """List the releases, newest first."""
    from dataclasses import asdict

    from rag_assets.platform.platform import Platform
    from rag_assets.releases.history import History
    from rag_assets.releases.registry import Registry

    platform = Platform.load()
    found = Registry(platform.database).newest(limit + 1, before=before or None)
    more, found = len(found) > limit, found[:limit]
    if as_json:
        print_json([asdict(release) for release in found])
        if more:  # a script that reads on standard output is not disturbed
            _say_older(found[-1].id, to_errors=True)
        return
    rows = [
        (
            item.id,
            _status(item),
            item.created_at.isoformat(timespec="seconds"),
            item.documents,
            item.chunks,
            item.manifest_sha256[:12],
            item.reason,
        )
        for item in found
    ]
    print_table(
        "Releases", ["id", "status", "created", "documents", "chunks", "manifest", "why"], rows
    )
    if more:
        _say_older(found[-1].id)
    _say_hold(History(platform.database).hold())


@app.command("show")
def show_release(release_id: ReleaseId, as_json: AsJson = False) -> None:
    """Show one release with the verdicts of its gates and its history."""
    from dataclasses import asdict

    from rag_assets.platform.errors import NoRelease
    from rag_assets.platform.platform import Platform
    from rag_assets.releases.history import History
    from rag_assets.releases.registry import Registry

    platform = Platform.load()
    release = Registry(platform.database).get(release_id)
    if release is None:
        raise NoRelease(f"There is no release {release_id}.", "See 'ragline releases list'.")
    events = History(platform.database).events(release_id)
    if as_json:
        print_json({**asdict(release), "events": [asdict(item) for item in events]})
        return
    facts = asdict(release)
    gates = facts.pop("metrics")
    facts["status"] = _status(release)
    print_table(f"Release {release.id}", ["", ""], list(facts.items()))
    rows = [
        # releases made by older versions say only whether it passed
        (name, gate.get("verdict", gate.get("passed")), gate.get("explanation", ""))
        for name, gate in gates.items()
    ]
    print_table("Gates", ["gate", "verdict", "why"], rows)
    _print_events(events)


@app.command("history")
def history(as_json: AsJson = False) -> None:
    """Show what happened to releases, when, why and by whom, oldest first."""
    from dataclasses import asdict

    from rag_assets.platform.platform import Platform
    from rag_assets.releases.history import History

    found = History(Platform.load().database)
    if as_json:
        print_json([asdict(item) for item in found.events()])
        return
    _print_events(found.events())
    _say_hold(found.hold())


@app.command("promote")
def promote(
    release_id: ReleaseId,
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", help="A gate that failed and is accepted; repeatable."),
    ] = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Make a release live by hand: one that waits, was rejected, or was live before."""
    from rag_assets.platform.platform import Platform
    from rag_assets.releases.operations import promote_release

    platform = Platform.load()
    release = promote_release(
        platform, release_id, accept=tuple(accept or ()), actor=_actor(), reason=reason
    )
    _report(release, platform, as_json=as_json)


@app.command("rollback")
def rollback(
    to: Annotated[
        int, typer.Option("--to", help="The release to go back to; default the one before.")
    ] = 0,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Make an earlier release live again, and hold promotions back."""
    from rag_assets.platform.platform import Platform
    from rag_assets.releases.operations import roll_back

    platform = Platform.load()
    release = roll_back(platform, to or None, actor=_actor(), reason=reason)
    _report(release, platform, as_json=as_json)


@app.command("hold")
def hold(reason: Reason = "", as_json: AsJson = False) -> None:
    """Hold promotions back: candidates are judged, and wait for a person."""
    from rag_assets.platform.platform import Platform
    from rag_assets.releases.history import History
    from rag_assets.releases.operations import hold_promotions

    platform = Platform.load()
    hold_promotions(platform, actor=_actor(), reason=reason)
    found = History(platform.database).hold()
    if as_json:
        print_json({"held": True, "reason": found.reason if found else ""})
        return
    _say_hold(found)


@app.command("resume")
def resume(reason: Reason = "", as_json: AsJson = False) -> None:
    """Let promotions go on by themselves; the next 'ragline ingest' releases what waits."""
    from rag_assets.platform.platform import Platform
    from rag_assets.releases.operations import resume_promotions

    lifted = resume_promotions(Platform.load(), actor=_actor(), reason=reason)
    if as_json:
        print_json({"held": False, "was_held": lifted})
        return
    typer.echo("Promotions go on." if lifted else "Promotions were not held back.")


def _actor() -> str:
    """Who gives the command, as the operating system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return ""


def _status(release: "Release") -> str:
    if not release.readable:
        return f"{release.status}, removed"
    if release.status == "candidate" and release.judged_with:
        return "waiting"
    return release.status


def _report(release: "Release", platform: Any, *, as_json: bool) -> None:
    from dataclasses import asdict

    from rag_assets.releases.history import History

    if as_json:
        print_json(asdict(release))
        return
    typer.echo(
        f"Release {release.id} is live: {counted(release.documents, 'document')}, "
        f"{counted(release.chunks, 'chunk')}."
    )
    _say_hold(History(platform.database).hold())


def _say_hold(found: "Hold | None") -> None:
    if found is not None:
        typer.echo(
            f"Promotions are held back since {found.since.isoformat(timespec='seconds')}: "
            f"{found.reason}. 'ragline releases resume' lets them go on."
        )


def _say_older(oldest: int, *, to_errors: bool = False) -> None:
    typer.echo(
        f"There are older releases: '--before {oldest}' lists them, '--limit' more at once.",
        err=to_errors,
    )


def _print_events(events: "list[ReleaseEvent]") -> None:
    rows = [
        (
            item.at.isoformat(timespec="seconds"),
            item.release_id,
            item.event.replace("_", " "),
            item.actor,
            item.reason,
        )
        for item in events
    ]
    print_table("History", ["at", "release", "event", "by", "why"], rows)
