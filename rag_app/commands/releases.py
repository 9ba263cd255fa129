"""``ragline releases``."""

from typing import Annotated

import typer

from rag_app.commands import releases_diff, releases_replay
from rag_app.output import AsJson, print_json, print_table

app = typer.Typer(help="The releases of the index.", no_args_is_help=True)
app.command("diff")(releases_diff.diff)
app.command("replay")(releases_replay.replay)


@app.command("list")
def list_releases(as_json: AsJson = False) -> None:
    """List the releases, newest first."""
    from dataclasses import asdict

    from rag_assets.platform.platform import Platform
    from rag_assets.releases.registry import Registry

    found = Registry(Platform.load().database).all()
    if as_json:
        print_json([asdict(release) for release in found])
        return
    rows = [
        (
            item.id,
            item.status,
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


@app.command("show")
def show_release(
    release_id: Annotated[int, typer.Argument(help="The release's id.")], as_json: AsJson = False
) -> None:
    """Show one release with the verdicts of its gates."""
    from dataclasses import asdict

    from rag_assets.platform.errors import NoRelease
    from rag_assets.platform.platform import Platform
    from rag_assets.releases.registry import Registry

    release = Registry(Platform.load().database).get(release_id)
    if release is None:
        raise NoRelease(f"There is no release {release_id}.", "See 'ragline releases list'.")
    if as_json:
        print_json(asdict(release))
        return
    facts = asdict(release)
    gates = facts.pop("metrics")
    print_table(f"Release {release.id}", ["", ""], list(facts.items()))
    rows = [
        # releases made by older versions say only whether it passed
        (name, gate.get("verdict", gate.get("passed")), gate.get("explanation", ""))
        for name, gate in gates.items()
    ]
    print_table("Gates", ["gate", "verdict", "why"], rows)
