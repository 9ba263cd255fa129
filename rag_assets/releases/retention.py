"""How long releases stay readable, and what is reclaimed when they no longer are."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import ReleaseSettings
from rag_assets.platform.wording import counted
from rag_assets.vector_index import retention

from .candidate import present_table
from .registry import Registry, Release

LEAST_GRACE_SECONDS = 2.0
TAG_PREFIX = "release-"


@dataclass(frozen=True)
class Retired:
    """What was removed.

    Attributes:
        releases: ids of releases that can no longer be read.
        tables: LanceDB tables that were dropped.
        versions: Lance versions that were removed.
        bytes: that were reclaimed.
    """

    releases: tuple[int, ...] = ()
    tables: tuple[str, ...] = ()
    versions: int = 0
    bytes: int = 0


def to_remove(
    releases: Sequence[Release], settings: ReleaseSettings, now: datetime
) -> list[Release]:
    """The releases whose time is over, oldest first.

    These stay: the live one; candidates, whether their gates have spoken or not, because somebody
    will decide on them; the ``keep_last`` that were live most recently; the one that a rollback would
    return to; and whatever stopped being live, or was made and never went live, less than
    ``keep_days`` ago.

    Args:
        releases: of the registry, in any order.
        settings: how long to keep.
        now: with a time zone.
    """
    readable = [release for release in releases if release.readable]
    retired = [release for release in readable if release.status == "retired"]
    newest = sorted(retired, key=lambda item: (_ended(item), item.id), reverse=True)
    kept = {release.id for release in newest[: settings.keep_last]}
    kept |= {release.id for release in _rollback_target(readable)}
    before = now - timedelta(days=settings.keep_days)
    removed = [
        release
        for release in readable
        if release.status in ("retired", "rejected")
        and release.id not in kept
        and _ended(release) < before
    ]
    return sorted(removed, key=lambda item: item.id)


def _ended(release: Release) -> datetime:
    """When a release stopped being live; when it was made, if it never was."""
    return release.retired_at or release.created_at


def _rollback_target(readable: Sequence[Release]) -> list[Release]:
    """The release that ``Registry.before_live`` gives, or nothing."""
    live = next((release for release in readable if release.status == "live"), None)
    if live is None:
        return []
    before = [
        (release.promoted_at, release.id, release)
        for release in readable
        if release.promoted_at is not None and release.id < live.id
    ]
    return [max(before)[2]] if before else []


def retire_releases(platform: Platform, now: datetime) -> Retired:
    """Remove the versions of releases whose time is over, and reclaim their space.

    The registry says first that a release cannot be read any more, then readers have time to
    notice, then its tag goes and with it what only this version needed. Interrupted anywhere, the
    next call does the rest.

    Args:
        platform: the deployment.
        now: with a time zone.

    Raises:
        AlreadyRunning: somebody has been writing to the index for a long time.
    """
    registry = Registry(platform.database)
    uri, options = platform.lancedb_uri, platform.storage_options
    with platform.lock("index-write", doing="retiring releases", timeout=900):
        settings = platform.settings.releases
        chosen = to_remove(registry.all(), settings, now)
        removed = [item.id for item in chosen if registry.mark_removed(item.id, _why(settings))]
        releases = [item for item in registry.all() if item.readable]
        used = {item.table_name for item in releases} | {present_table(platform)}
        tables = retention.tables(uri, options)
        dropped = tuple(table for table in tables if table not in used)
        if removed or dropped or _strays(platform, releases):
            time.sleep(grace_seconds(platform))
        remove_strays(platform, releases)
        facts = [
            (retention.drop_table if table in dropped else retention.purge)(uri, table, options)
            for table in tables
        ]
    return Retired(
        tuple(removed),
        dropped,
        versions=sum(item.versions for item in facts),
        bytes=sum(item.bytes for item in facts),
    )


def grace_seconds(platform: Platform) -> float:
    """How long readers may still use a version after the registry names another one."""
    return max(LEAST_GRACE_SECONDS, 2 * platform.settings.query.refresh_seconds)


def remove_strays(platform: Platform, releases: Sequence[Release]) -> bool:
    """Remove release tags that belong to none of these releases; whether there were any.

    The caller holds the lock "index-write".
    """
    strays = _strays(platform, releases)
    for table, tag in strays:
        retention.remove_tag(platform.lancedb_uri, table, tag, platform.storage_options)
    return bool(strays)


def _strays(platform: Platform, releases: Sequence[Release]) -> list[tuple[str, str]]:
    uri, options = platform.lancedb_uri, platform.storage_options
    known = {(release.table_name, release.tag) for release in releases}
    return [
        (table, tag)
        for table in retention.tables(uri, options)
        for tag in retention.tags(uri, table, options)
        if tag.startswith(TAG_PREFIX) and (table, tag) not in known
    ]


def _why(settings: ReleaseSettings) -> str:
    return f"older than {counted(settings.keep_days, 'day')}"
