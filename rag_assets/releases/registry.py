"""The release registry in the platform database.

A release is ``candidate`` until its gates have spoken, then ``live`` or ``rejected``; the release
that was live before becomes ``retired``. At most one release is live; the database enforces it.
A candidate whose gates passed while promotions are held back waits. Every release stays readable
until ``removed_at``.
"""

from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa

from rag_assets.platform.errors import NoRelease, ReleaseConflict

from .history import WENT_LIVE, Kind, lift_hold, put_hold, record_event, utc
from .release import Candidate, Release
from .schema import release_events, releases

__all__ = ["Candidate", "Registry", "Release"]

# what learned query parameters hold for: the scores they weigh come from these two
LEARNED_FOR = ("chunker", "encoder")


class Registry:
    """Reads and writes the registry; every change is one transaction."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def live(self) -> Release | None:
        """The release that readers use now, if there is one."""
        return self._first(releases.c.status == "live")

    def get(self, release_id: int) -> Release | None:
        """One release by its id."""
        return self._first(releases.c.id == release_id)

    def candidate(self) -> Release | None:
        """The newest release whose gates have not spoken yet."""
        with self._engine.connect() as connection:
            row = connection.execute(
                sa.select(releases)
                .where(releases.c.status == "candidate")
                .order_by(releases.c.id.desc())
            ).first()
        return _release(row) if row else None

    def all(self) -> list[Release]:
        """Every release, newest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(releases).order_by(releases.c.id.desc()))
            return [_release(row) for row in rows]

    def newest(
        self, limit: int, *, before: int | None = None, readable: bool = False
    ) -> list[Release]:
        """Releases, newest first.

        Args:
            limit: most of them.
            before: only older ones than this.
            readable: only what can still be asked.
        """
        query = sa.select(releases).order_by(releases.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(releases.c.id < before)
        if readable:
            query = query.where(releases.c.removed_at.is_(None))
        with self._engine.connect() as connection:
            return [_release(row) for row in connection.execute(query)]

    def judged(
        self, table_name: str, partitions: dict[str, str], judged_with: str
    ) -> Release | None:
        """The newest readable release with this content that such gates rejected, or that waits.

        One that was removed counts no more: nobody could accept it.
        """
        query = (
            sa.select(releases)
            .where(
                releases.c.status.in_(("rejected", "candidate")),
                releases.c.judged_with == judged_with,
                releases.c.judged_with != "",
                releases.c.removed_at.is_(None),
                releases.c.table_name == table_name,
            )
            .order_by(releases.c.id.desc())
        )
        with self._engine.connect() as connection:
            found = map(_release, connection.execute(query))
            return next((item for item in found if item.partitions == partitions), None)

    def _first(self, condition: sa.ColumnElement[bool]) -> Release | None:
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(releases).where(condition)).first()
        return _release(row) if row else None

    def add_candidate(
        self,
        *,
        table_name: str,
        lance_version: int,
        fingerprints: dict[str, str],
        partitions: dict[str, str],
        documents: int,
        chunks: int,
        manifest_sha256: str,
        run_id: str,
        configuration: dict[str, Any] | None = None,
    ) -> Release:
        """Record a candidate; one that is still there is rejected first: there is one at a time."""
        with self._engine.begin() as connection:
            inserted = connection.execute(
                sa.insert(releases).values(
                    created_at=datetime.now(UTC),
                    status="candidate",
                    reason="",
                    table_name=table_name,
                    lance_version=lance_version,
                    fingerprints=fingerprints,
                    partitions=partitions,
                    documents=documents,
                    chunks=chunks,
                    manifest_sha256=manifest_sha256,
                    metrics={},
                    run_id=run_id,
                    configuration=configuration,
                )
            )
            key = inserted.inserted_primary_key
            assert key is not None
            release_id = int(key[0])
            older = releases.c.status == "candidate", releases.c.id != release_id
            for row in connection.execute(sa.select(releases).where(*older)).all():
                values: dict[str, Any] = {"reason": f"superseded by release {release_id}"}
                if not row.judged_with:  # its version has lost its tag
                    values = {
                        "reason": "abandoned: its run ended before its gates",
                        "removed_at": datetime.now(UTC),
                    }
                connection.execute(
                    sa.update(releases)
                    .where(releases.c.id == row.id)
                    .values(status="rejected", **values)
                )
                record_event(connection, "rejected", row.id, reason=values["reason"])
        return self._got(release_id)

    def promote(
        self,
        release_id: int,
        metrics: dict[str, Any] | None = None,
        *,
        over: int | Literal["any"] | None = "any",
        judged_with: str = "",
        event: Kind = "promoted",
        actor: str = "",
        reason: str = "",
        hold: str = "",
        **details: Any,
    ) -> Release:
        """Make a release live and retire the one before it, in one transaction.

        A candidate without parameters of its own takes over those of the release before it, when
        both have the same chunker and encoder: fusion weights and abstention thresholds are about
        the scores that these two give, and mean nothing for others.

        Args:
            release_id: of a candidate, or of any other release that can still be read.
            metrics: what its gates said; None leaves what is recorded.
            over: the release that was live when this was decided, None if there was none; "any":
                whatever is live now.
            judged_with: see ``Release``.
            event: ``promoted`` or ``rolled_back``.
            actor, reason, details: for the history.
            hold: when not empty, promotions are held back from now on, for this reason; when empty
                they go on.

        Raises:
            NoRelease: there is no such release.
            ReleaseConflict: another release went live meanwhile, or this one did, or it was removed.
        """
        now = datetime.now(UTC)
        with self._engine.begin() as connection:
            _lock(connection)
            others = releases.c.id != release_id
            before = connection.execute(
                sa.select(releases).where(releases.c.status == "live", others)
            ).first()
            chosen = connection.execute(
                sa.select(releases).where(releases.c.id == release_id)
            ).first()
            if chosen is None:
                raise _unknown(release_id)
            _require_promotable(chosen, before, over)
            connection.execute(
                sa.update(releases)
                .where(releases.c.status == "live", others)
                .values(
                    status="retired", retired_at=now, reason=f"replaced by release {release_id}"
                )
            )
            values: dict[str, Any] = {
                "status": "live",
                "promoted_at": now,
                "retired_at": None,
                "reason": reason,
                "parameters": _parameters(chosen, before),
            }
            if metrics is not None:
                values |= {"metrics": metrics, "judged_with": judged_with}
            connection.execute(
                sa.update(releases).where(releases.c.id == release_id).values(**values)
            )
            record_event(connection, event, release_id, actor=actor, reason=reason, **details)
            if hold:
                put_hold(connection, reason=hold, actor=actor)
            else:
                lift_hold(connection, reason=f"release {release_id} went live", actor=actor)
        return self._got(release_id)

    def set_parameters(self, release_id: int, parameters: dict[str, Any]) -> Release:
        """Record what was learned for a release; it replaces what was there.

        Args:
            release_id: of a candidate or any other release.
            parameters: ``QueryParameters.to_dict()``.

        Raises:
            NoRelease: there is no such release.
        """
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(releases).where(releases.c.id == release_id).values(parameters=parameters)
            )
        return self._got(release_id)

    def reject(
        self, release_id: int, reason: str, metrics: dict[str, Any], judged_with: str = ""
    ) -> None:
        """Record why a candidate was not promoted."""
        self._judge(release_id, "rejected", reason, metrics, judged_with)

    def wait(
        self, release_id: int, reason: str, metrics: dict[str, Any], judged_with: str = ""
    ) -> None:
        """Record that a candidate passed its gates while promotions are held back."""
        self._judge(release_id, "waiting", reason, metrics, judged_with)

    def _judge(
        self, release_id: int, event: Kind, reason: str, metrics: dict[str, Any], judged_with: str
    ) -> None:
        status = "rejected" if event == "rejected" else "candidate"
        with self._engine.begin() as connection:
            changed = connection.execute(
                sa.update(releases)
                .where(releases.c.id == release_id, releases.c.status == "candidate")
                .values(status=status, reason=reason, metrics=metrics, judged_with=judged_with)
            )
            if not changed.rowcount:
                raise ReleaseConflict(
                    f"Release {release_id} is not a candidate any more: another process decided.",
                    "See 'ragline releases show' and run the command again.",
                )
            record_event(connection, event, release_id, reason=reason)

    def amend(self, release_id: int, event: Kind, *, reason: str, **values: Any) -> Release:
        """Correct what the registry says of a release's version: after an erasure, or a repair.

        Args:
            event: ``amended`` or ``repaired``.
            values: columns and their new values (lance_version, documents, chunks, partitions,
                manifest_sha256).
        """
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(releases).where(releases.c.id == release_id).values(**values)
            )
            numbers: dict[str, Any] = {
                name: item for name, item in values.items() if isinstance(item, int)
            }
            record_event(connection, event, release_id, reason=reason, **numbers)
        return self._got(release_id)

    def mark_removed(self, release_id: int, reason: str) -> bool:
        """Say that a release can no longer be read, before its version goes; whether it was said.

        The live release, and a candidate whose gates have not spoken, are never removed.
        """
        now = datetime.now(UTC)
        removable = sa.or_(
            releases.c.status.in_(("retired", "rejected")),
            sa.and_(releases.c.status == "candidate", releases.c.judged_with != ""),
        )
        with self._engine.begin() as connection:
            changed = connection.execute(
                sa.update(releases)
                .where(releases.c.id == release_id, releases.c.removed_at.is_(None), removable)
                .values(removed_at=now)
            )
            if changed.rowcount:
                record_event(connection, "removed", release_id, reason=reason)
        return changed.rowcount > 0

    def before_live(self) -> Release | None:
        """The readable release that was live before the present one, which a rollback returns to."""
        live = self.live()
        if live is None:
            return None
        query = (
            sa.select(release_events.c.release_id)
            .where(release_events.c.event.in_(WENT_LIVE))
            .order_by(release_events.c.id.desc())
        )
        with self._engine.connect() as connection:
            ids = list(connection.execute(query).scalars())
        for release_id in ids:
            release = self.get(release_id)
            # what was rolled back from is no place to go back to
            if release is not None and release.id < live.id and release.readable:
                return release
        return None

    def _got(self, release_id: int) -> Release:
        release = self.get(release_id)
        if release is None:
            raise _unknown(release_id)
        return release


def _lock(connection: sa.Connection) -> None:
    """Let one writer at a time decide what is live, so that what it reads next stays true."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("LOCK TABLE releases IN SHARE ROW EXCLUSIVE MODE"))
    else:
        # SQLite locks the database at the first write of a transaction
        connection.execute(sa.update(releases).where(sa.false()).values(reason=""))


def _unknown(release_id: int) -> NoRelease:
    return NoRelease(f"There is no release {release_id}.", "See 'ragline releases list'.")


def _require_promotable(
    chosen: sa.Row[Any], before: sa.Row[Any] | None, over: int | Literal["any"] | None
) -> None:
    if chosen.removed_at is not None:
        raise ReleaseConflict(
            f"Release {chosen.id} has been removed and cannot go live.",
            "See 'ragline releases list' for those that can.",
        )
    if over != "any" and chosen.status == "live" and chosen.id != over:
        # another process was quicker: promoted twice, it would be in the history twice
        raise ReleaseConflict(f"Release {chosen.id} is live already.", "Nothing is to be done.")
    if over != "any" and before is not None and before.id != over:
        raise ReleaseConflict(
            f"Release {before.id} went live while release {chosen.id} was being judged against "
            f"{f'release {over}' if over else 'nothing'}; nothing was changed.",
            "Run the command again: it will be judged against the live release.",
        )


def _parameters(candidate: sa.Row[Any] | None, before: sa.Row[Any] | None) -> dict[str, Any] | None:
    """The parameters a promoted candidate has: its own, else those of before that still hold."""
    if candidate is None or before is None or candidate.parameters is not None:
        return candidate.parameters if candidate else None
    old, new = before.fingerprints, candidate.fingerprints
    same = all(name in new and new[name] == old.get(name) for name in LEARNED_FOR)
    return before.parameters if same else None


def _release(row: sa.Row[Any]) -> Release:
    values = dict(row._mapping)
    for name in ("created_at", "promoted_at", "retired_at", "removed_at"):
        if values[name] is not None:
            values[name] = utc(values[name])
    return Release(**values)
