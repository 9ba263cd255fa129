"""Requests to forget a document, in the platform database: what is due, what was done, the receipts.

A request whose ``lifted_at`` is empty keeps the document from being read again, whether or not its
source still lists it. The receipt says what was searched and erased; it holds no text.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData()
erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("document_id", sa.Text, nullable=False),
    sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("completed_at", sa.DateTime(timezone=True)),
    sa.Column("lifted_at", sa.DateTime(timezone=True)),
    sa.Column("actor", sa.Text, nullable=False, server_default=""),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("receipt", sa.JSON(none_as_null=True)),
    sa.Index("erasures_by_document", "document_id"),
)


def _generation() -> sa.ScalarSelect[str]:
    counts = (
        sa.func.coalesce(sa.func.max(erasures.c.id), 0),
        sa.func.count(erasures.c.completed_at),
        sa.func.count(erasures.c.lifted_at),
    )
    newest, completed, lifted = (sa.cast(count, sa.String) for count in counts)
    return sa.select(newest + "-" + completed + "-" + lifted).scalar_subquery()


# changes with every request, its completion and its lifting; a part of other statements, too
GENERATION = _generation()
_SELECT_GENERATION = sa.select(GENERATION)


@dataclass(frozen=True)
class ErasureRequest:
    """One request.

    Attributes:
        requested_at, due_at, completed_at: UTC; ``completed_at`` is None while traces may be left.
        lifted_at: when the document was allowed again.
        receipt: what was searched and erased, place by place; None before it was tried.
    """

    id: int
    document_id: str
    requested_at: datetime
    due_at: datetime
    completed_at: datetime | None
    lifted_at: datetime | None
    actor: str
    reason: str
    receipt: dict[str, Any] | None


class ErasureRequests:
    """Reads and writes the requests.

    Args:
        engine: the platform database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def open(
        self, document_id: str, *, within_days: float, actor: str = "", reason: str = ""
    ) -> ErasureRequest:
        """Ask for a document to be forgotten; one that was asked for and is not done goes on."""
        now = datetime.now(UTC)
        with self._engine.begin() as connection:
            mine = erasures.c.document_id == document_id, erasures.c.lifted_at.is_(None)
            row = connection.execute(
                sa.select(erasures).where(*mine, erasures.c.completed_at.is_(None))
            ).first()
            if row is None:
                # an older one that was completed is taken over by the new one
                connection.execute(sa.update(erasures).where(*mine).values(lifted_at=now))
                inserted = connection.execute(
                    sa.insert(erasures).values(
                        document_id=document_id,
                        requested_at=now,
                        due_at=now + timedelta(days=within_days),
                        actor=actor,
                        reason=reason,
                    )
                )
                key = inserted.inserted_primary_key
                assert key is not None
                row = connection.execute(sa.select(erasures).where(erasures.c.id == key[0])).one()
            return _request(row)

    def finish(self, request_id: int, receipt: dict[str, Any], *, completed: bool) -> None:
        """Store the receipt of an attempt, and that nothing is left when that is so."""
        values: dict[str, Any] = {"receipt": receipt}
        if completed:
            values["completed_at"] = datetime.now(UTC)
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(erasures).where(erasures.c.id == request_id).values(**values)
            )

    def lift(self, document_id: str) -> bool:
        """Allow a document to be read again; whether it was forbidden."""
        with self._engine.begin() as connection:
            lifted = connection.execute(
                sa.update(erasures)
                .where(erasures.c.document_id == document_id, erasures.c.lifted_at.is_(None))
                .values(lifted_at=datetime.now(UTC))
            )
        return lifted.rowcount > 0

    def forbidden(self) -> frozenset[str]:
        """The ids of documents that must not be read."""
        query = sa.select(erasures.c.document_id).where(erasures.c.lifted_at.is_(None))
        with self._engine.connect() as connection:
            return frozenset(connection.execute(query).scalars())

    def generation(self) -> str:
        """A text that changes with every request, its completion and its lifting.

        What was made of documents under another one must not be given to anybody.
        """
        with self._engine.connect() as connection:
            generation: str = connection.execute(_SELECT_GENERATION).scalar_one()
            return generation

    def all(self) -> list[ErasureRequest]:
        """Every request, newest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(erasures).order_by(erasures.c.id.desc()))
            return [_request(row) for row in rows]


def _request(row: sa.Row[Any]) -> ErasureRequest:
    values = dict(row._mapping)
    for name in ("requested_at", "due_at", "completed_at", "lifted_at"):
        moment = values[name]
        if moment is not None and moment.tzinfo is None:  # SQLite keeps no time zone
            values[name] = moment.replace(tzinfo=UTC)
    return ErasureRequest(**values)
