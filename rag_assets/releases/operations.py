"""What a person may do to releases: promote, roll back, hold promotions back, let them go on."""

from typing import Any

from rag_assets.platform.errors import NoRelease, ReleaseConflict
from rag_assets.platform.platform import Platform

from .candidate import expected_partitions, present_table
from .history import History
from .opening import require_readable
from .registry import Registry, Release

# Verdicts on quality are a person's to accept. The others say that the index is not what it should
# be, or shows people what they may not read: that is mended, never accepted.
ACCEPTABLE = ("retrieval_quality", "answer_quality", "replay", "quarantine_share")


def promote_release(
    platform: Platform,
    release_id: int,
    *,
    accept: tuple[str, ...] = (),
    actor: str = "",
    reason: str = "",
) -> Release:
    """Make a release live by hand: one that waits, was rejected, or was live before.

    Promotions go on automatically when the release is what the index holds now; otherwise they are
    held back from here on, because the next one would replace what a person has just chosen.

    Args:
        platform: the deployment.
        release_id: of the release.
        accept: gates that failed and are accepted all the same; a reason is needed then.
        actor: who asks, for the history.
        reason: why, for the history.

    Raises:
        NoRelease: there is no such release.
        ReleaseConflict: it is live, has been removed, was never judged, or a gate stands in the way.
        IndexUnavailable: its version cannot be read.
    """
    registry = Registry(platform.database)
    with platform.lock("index-write", doing=f"promoting release {release_id}", timeout=900):
        release, live = _existing(registry, release_id), registry.live()
        _require_judged(release)
        _require_accepted(release, accept, reason)
        require_readable(platform, release)
        accepted = sorted(set(accept) & set(release.failed_gates))
        details: dict[str, Any] = {"accepted": accepted} if accepted else {}
        return registry.promote(
            release_id,
            over=live.id if live else None,
            actor=actor,
            reason=reason,
            hold=_hold(platform, release, reason),
            **details,
        )


def roll_back(
    platform: Platform, release_id: int | None = None, *, actor: str = "", reason: str = ""
) -> Release:
    """Make an earlier release live again, and hold promotions back.

    Args:
        platform: the deployment.
        release_id: of a release that was live before; None: the one before the present one.
        actor: who asks, for the history.
        reason: why, for the history.

    Raises:
        NoRelease: there is no release to go back to.
        ReleaseConflict: that release was never live, is live now, or has been removed.
        IndexUnavailable: its version cannot be read.
    """
    registry = Registry(platform.database)
    with platform.lock("index-write", doing="rolling back", timeout=900):
        live = registry.live()
        release = registry.before_live() if release_id is None else _existing(registry, release_id)
        if release is None or live is None:
            raise NoRelease(
                "There is no earlier release to roll back to.", "See 'ragline releases list'."
            )
        if release.promoted_at is None:
            raise ReleaseConflict(
                f"Release {release.id} was never live.",
                f"Promote it instead: ragline releases promote {release.id}.",
            )
        _require_not_live(release)
        require_readable(platform, release)
        why = f"rolled back from release {live.id} to release {release.id}"
        return registry.promote(
            release.id,
            over=live.id,
            event="rolled_back",
            actor=actor,
            reason=reason,
            hold=f"{why}: {reason}" if reason else why,
            rolled_back_from=live.id,
        )


def hold_promotions(platform: Platform, *, actor: str = "", reason: str = "") -> None:
    """Judge candidates from here on, but promote none by itself."""
    History(platform.database).set_hold(reason=reason or "asked for by a person", actor=actor)


def resume_promotions(platform: Platform, *, actor: str = "", reason: str = "") -> bool:
    """Let promotions go on by themselves; whether they were held back."""
    return History(platform.database).resume(reason=reason, actor=actor)


def _existing(registry: Registry, release_id: int) -> Release:
    release = registry.get(release_id)
    if release is None:
        raise NoRelease(f"There is no release {release_id}.", "See 'ragline releases list'.")
    return release


def _require_not_live(release: Release) -> None:
    if release.status == "live":
        raise ReleaseConflict(f"Release {release.id} is live already.", "Nothing is to be done.")


def _require_judged(release: Release) -> None:
    _require_not_live(release)
    if release.status == "candidate" and not release.judged_with:
        raise ReleaseConflict(
            f"The gates have not spoken on release {release.id} yet.",
            "Run 'ragline ingest' (or the job 'promote') to have it judged.",
        )


def _require_accepted(release: Release, accept: tuple[str, ...], reason: str) -> None:
    # what was live before has passed, or was accepted then
    failed = {} if release.promoted_at else release.failed_gates
    hard = [name for name in failed if name not in ACCEPTABLE]
    if hard:
        raise ReleaseConflict(
            f"Release {release.id} cannot go live: {hard[0]}: {failed[hard[0]]}.",
            "This is to be mended, not accepted: see 'ragline releases show' and 'ragline verify'.",
        )
    left = [name for name in failed if name not in accept]
    if left:
        raise ReleaseConflict(
            f"Release {release.id} was rejected: "
            + "; ".join(f"{name}: {failed[name]}" for name in left)
            + ".",
            f"To promote it all the same, add --accept {' --accept '.join(left)} and --reason.",
        )
    if failed and not reason:
        raise ReleaseConflict(
            f"Release {release.id} was rejected; to accept that needs a reason.", "Add --reason."
        )


def _hold(platform: Platform, release: Release, reason: str) -> str:
    """Why promotions are held back once this release is live; empty when they go on."""
    now = present_table(platform), expected_partitions(platform)
    if (release.table_name, release.partitions) == now:
        return ""
    why = f"release {release.id} was promoted by hand, and the index holds something newer"
    return f"{why}: {reason}" if reason else why
