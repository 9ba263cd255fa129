"""Releases as callers may see them: reasons and explanations may name documents."""

from datetime import UTC, datetime
from typing import Any

from rag_app.access.principal import RELEASES, Principal
from rag_assets.platform.platform import Platform
from rag_assets.releases.history import History
from rag_assets.releases.registry import Registry, Release

from .errors import NotFound

FIELDS = (
    "id",
    "status",
    "readable",
    "created_at",
    "promoted_at",
    "retired_at",
    "documents",
    "chunks",
    "manifest_sha256",
    "fingerprints",
)


# of a page, where nobody says how many they want
PAGE = 50


def release_list(
    platform: Platform,
    principal: Principal,
    *,
    before: int | None = None,
    limit: int = PAGE,
    readable: bool = False,
) -> dict[str, Any]:
    """A page of releases, newest first, which one is live, and whether promotions are held back.

    Args:
        platform: the deployment.
        principal: who wants to know.
        before: ``next`` of the page before; None: the first page.
        limit: most releases of a page.
        readable: only what can still be asked.
    """
    registry = Registry(platform.database)
    live = registry.live()
    # one more tells whether there is another page
    found = registry.newest(limit + 1, before=before, readable=readable)
    shown = found[:limit]
    hold = History(platform.database).hold()
    return {
        "releases": [release_view(item, principal) for item in shown],
        "next": shown[-1].id if len(found) > limit else None,
        "live": live.id if live else None,
        "hold": hold if principal.allows(RELEASES) else None,
    }


def release_view(release: Release, principal: Principal) -> dict[str, Any]:
    """One release in short."""
    lag = (datetime.now(UTC) - release.created_at).total_seconds()
    return {
        **{name: getattr(release, name) for name in FIELDS},
        "source_lag_seconds": round(max(lag, 0.0), 1),
        "reason": release.reason if principal.allows(RELEASES) else None,
    }


def release_details(platform: Platform, release_id: int, principal: Principal) -> dict[str, Any]:
    """One release with its gates and its history.

    Raises:
        NotFound: there is none.
    """
    release = Registry(platform.database).get(release_id)
    if release is None:
        raise NotFound(f"There is no release {release_id}.", "GET /v1/releases lists them.")
    all_of_it = principal.allows(RELEASES)
    events = History(platform.database).events(release_id) if all_of_it else []
    return {
        **release_view(release, principal),
        "gates": {
            name: {
                "verdict": str(
                    gate.get("verdict") or ("passed" if gate.get("passed") else "failed")
                ),
                "explanation": str(gate.get("explanation", "")) if all_of_it else None,
            }
            for name, gate in release.metrics.items()
        },
        "parameters": release.parameters,
        "events": [
            {name: getattr(item, name) for name in ("at", "event", "actor", "reason")}
            for item in events
        ],
    }
