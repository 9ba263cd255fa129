"""What happened to releases, when and why: events are added and never changed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa

from .schema import release_events, release_holds

Kind = Literal[
    "promoted",  # live, by its gates or by a person
    "rolled_back",  # live again
    "rejected",
    "waiting",  # its gates passed, but promotions are held back
    "held",
    "resumed",
    "amended",  # the same release without a document that had to be forgotten
    "repaired",
    "removed",  # its version was cleaned up
]
WENT_LIVE = ("promoted", "rolled_back")


@dataclass(frozen=True)
class ReleaseEvent:
    """One event.

    Attributes:
        at: UTC.
        release_id: None where it concerns all promotions (held, resumed).
        actor: who asked for it; empty for the platform itself.
        details: numbers and names that explain it; never a document's text.
    """

    id: int
    at: datetime
    release_id: int | None
    event: Kind
    actor: str
    reason: str
    details: dict[str, Any]


@dataclass(frozen=True)
class Hold:
    """Promotions are held back: candidates are judged, and wait.

    Attributes:
        since: UTC.
        actor: who asked for it.
        reason: why.
    """

    since: datetime
    actor: str
    reason: str


def record_event(
    connection: sa.Connection,
    event: Kind,
    release_id: int | None,
    *,
    actor: str = "",
    reason: str = "",
    **details: Any,
) -> None:
    """Add an event, in the transaction that makes it true."""
    connection.execute(
        sa.insert(release_events).values(
            at=datetime.now(UTC),
            release_id=release_id,
            event=event,
            actor=actor,
            reason=reason,
            details=details,
        )
    )


class History:
    """Reads what happened, and holds promotions back.

    Args:
        engine: the platform database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def events(self, release_id: int | None = None) -> list[ReleaseEvent]:
        """Every event, of one release where it is named, oldest first."""
        query = sa.select(release_events).order_by(release_events.c.id)
        if release_id is not None:
            query = query.where(release_events.c.release_id == release_id)
        with self._engine.connect() as connection:
            return [_event(row) for row in connection.execute(query)]

    def live_at(self, moment: datetime) -> int | None:
        """The id of the release that was live at a moment (with a time zone), if there was one."""
        query = (
            sa.select(release_events.c.release_id)
            # SQLite compares what is written, without its time zone
            .where(release_events.c.event.in_(WENT_LIVE), release_events.c.at <= utc(moment))
            .order_by(release_events.c.id.desc())
        )
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()

    def hold(self) -> Hold | None:
        """Why promotions are held back; None when they are not."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(release_holds)).first()
        return Hold(utc(row.since), row.actor, row.reason) if row else None

    def set_hold(self, *, reason: str, actor: str = "") -> None:
        """Hold promotions back; a hold that is there already gets the new reason."""
        with self._engine.begin() as connection:
            put_hold(connection, reason=reason, actor=actor)

    def resume(self, *, reason: str = "", actor: str = "") -> bool:
        """Let promotions go on; whether they were held back."""
        with self._engine.begin() as connection:
            return lift_hold(connection, reason=reason, actor=actor)


def put_hold(connection: sa.Connection, *, reason: str, actor: str) -> None:
    """Hold promotions back, in the caller's transaction."""
    connection.execute(sa.delete(release_holds))
    values = {"id": 1, "since": datetime.now(UTC), "actor": actor, "reason": reason}
    connection.execute(sa.insert(release_holds).values(**values))
    record_event(connection, "held", None, actor=actor, reason=reason)


def lift_hold(connection: sa.Connection, *, reason: str, actor: str) -> bool:
    """Let promotions go on, in the caller's transaction; whether they were held back."""
    lifted = connection.execute(sa.delete(release_holds)).rowcount > 0
    if lifted:
        record_event(connection, "resumed", None, actor=actor, reason=reason)
    return lifted


def utc(moment: datetime) -> datetime:
    """The moment in UTC; SQLite keeps no time zone."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _event(row: sa.Row[Any]) -> ReleaseEvent:
    values = dict(row._mapping)
    return ReleaseEvent(**{**values, "at": utc(values["at"])})
