"""The alerts that several places raise."""

from urllib.parse import quote

from rag_assets.platform.settings import Settings
from rag_assets.releases.release import Release

from .alert import Alert


def rejected_release(settings: Settings, release: Release) -> Alert:
    """A candidate was rejected: which gates failed, and why.

    Raised by everyone who notices; the same release is reported once.
    """
    failed = release.failed_gates
    return Alert(
        kind="release_rejected",
        title=f"Release {release.id} was rejected",
        text=f"{release.reason or 'Its gates failed.'} The live release keeps serving. "
        f"See 'ragline releases show {release.id}'.",
        key=f"release_rejected:{release.id}",
        fields={
            "release": release.id,
            "documents": release.documents,
            "chunks": release.chunks,
            **{f"gate {name}": reason or "failed" for name, reason in failed.items()},
        },
        links={
            "Release": asset_link(settings, "release"),
            **({"Run": run_link(settings, release.run_id)} if release.run_id else {}),
        },
    )


def late_asset(settings: Settings, asset: str, since: str) -> Alert:
    """An asset is older than its freshness policy allows.

    Args:
        settings: for the link and the limit.
        asset: its key.
        since: when it was made last, for people; empty: never.
    """
    return Alert(
        kind="late",
        title=f"{asset} is late",
        text=f"It has not been made for more than {settings.orchestration.fresh_within_hours:g} "
        "hours. Look for failed or waiting runs, stopped schedules and sources out of reach.",
        severity="warning",
        # late again after it was in time is another alert
        key=f"late:{asset}:{since}",
        fields={"asset": asset, "last made": since or "never"},
        links={"Asset": asset_link(settings, asset)},
    )


def run_link(settings: Settings, run_id: str) -> str:
    """The page of a run in the Dagster UI."""
    return f"{settings.dagster_url.rstrip('/')}/runs/{quote(run_id)}"


def asset_link(settings: Settings, asset: str) -> str:
    """The page of an asset in the Dagster UI."""
    return f"{settings.dagster_url.rstrip('/')}/assets/{quote(asset)}"
