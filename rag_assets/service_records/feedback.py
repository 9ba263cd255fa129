"""What readers say of answers, until a person has decided what becomes of it."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from rag_assets.platform.errors import ReleaseConflict, StorageError
from rag_assets.platform.storable import storable

from .tables import feedback

if TYPE_CHECKING:
    import polars as pl

Status = Literal["new", "accepted", "rejected"]
RATINGS = {"up": 1, "neutral": 0, "down": -1}


class FeedbackDecided(ReleaseConflict):
    """Somebody has decided about a piece of feedback already."""


@dataclass(frozen=True)
class Feedback:
    """One reader's judgement of one answer.

    Attributes:
        answer_id: of the query log.
        principal: whose judgement it is.
        rating: 1, 0 or -1.
        comment: in their own words.
        corrected_citations: ``{"document_id", "quote"}`` of what should have been cited.
        at: when; UTC when it is read back.
        status: new until a person accepts it as a golden question or rejects it.
        question_id: of the golden question it became.
    """

    answer_id: str
    principal: str
    rating: int
    comment: str = ""
    corrected_citations: Sequence[dict[str, Any]] = ()
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: Status = "new"
    question_id: str | None = None
    feedback_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {**asdict(self), "at": self.at.isoformat()}


class FeedbackStore:
    """Writes and reads feedback.

    Args:
        engine: the platform database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def add(self, said: Feedback, *, replace: bool = False) -> None:
        """Keep a judgement.

        Args:
            said: the judgement.
            replace: what the same principal said of the answer before is void, unless it was
                decided about; for principals that are one person.

        Raises:
            StorageError: it could not be written.
        """
        values = {name: storable(value) for name, value in asdict(said).items()}
        values |= {"at": _utc(said.at), "corrected_citations": storable(said.corrected_citations)}
        columns = feedback.c
        before = sa.delete(feedback).where(
            columns.answer_id == said.answer_id,
            columns.principal == said.principal,
            columns.status == "new",
        )
        with _database_errors("written"), self._engine.begin() as connection:
            if replace:
                connection.execute(before)
            connection.execute(sa.insert(feedback).values(**values))

    def get(self, feedback_id: str) -> Feedback | None:
        """One judgement by its id."""
        found = self._select(feedback.c.feedback_id == storable(feedback_id))
        return found[0] if found else None

    def listed(self, status: Status | None = "new") -> list[Feedback]:
        """Judgements, oldest first: those of a status, or all."""
        return self._select(*([feedback.c.status == status] if status else []))

    def decide(
        self, feedback_id: str, status: Literal["accepted", "rejected"], question_id: str = ""
    ) -> None:
        """Note what became of a judgement.

        Raises:
            FeedbackDecided: there is no undecided one of this id.
            StorageError: it could not be written.
        """
        query = (
            sa.update(feedback)
            .where(feedback.c.feedback_id == feedback_id, feedback.c.status == "new")
            .values(status=status, question_id=question_id or None)
        )
        with _database_errors("written"), self._engine.begin() as connection:
            changed = connection.execute(query).rowcount
        if not changed:
            raise FeedbackDecided(
                f"There is no feedback '{feedback_id}' that waits for a decision.",
                "See 'ragline questions candidates --all'.",
            )

    def counts(self, start: datetime, end: datetime) -> dict[str, int]:
        """How many said what from ``start`` (included) to ``end`` (not): up, neutral, down."""
        columns = feedback.c
        query = (
            sa.select(columns.rating, sa.func.count())
            .where(columns.at >= _utc(start), columns.at < _utc(end))
            .group_by(columns.rating)
        )
        with _database_errors("read"), self._engine.connect() as connection:
            found = {row.rating: row[1] for row in connection.execute(query)}
        return {name: found.get(rating, 0) for name, rating in RATINGS.items()}

    def by_day_and_release(self, first: date, last: date) -> "pl.DataFrame":
        """How many said what, by day (UTC) and by the release that had answered.

        Args:
            first, last: the days, both included.

        Returns:
            ``day``, ``release`` (null where the query log has no such answer any more), ``up``,
            ``neutral``, ``down``; by day and release.
        """
        import polars as pl

        from rag_assets.query.log import answers

        start = datetime.combine(first, time(), UTC)
        end = datetime.combine(last, time(), UTC) + timedelta(days=1)
        columns = feedback.c
        query = (
            sa.select(columns.at, columns.rating, answers.c.release_id)
            .join_from(feedback, answers, columns.answer_id == answers.c.answer_id, isouter=True)
            .where(columns.at >= start, columns.at < end)
        )
        with _database_errors("read"), self._engine.connect() as connection:
            rows = [
                (_utc(at).date(), rating, release)
                for at, rating, release in connection.execute(query)
            ]
        kinds = {"day": pl.Date(), "rating": pl.Int64(), "release": pl.Int64()}
        found = pl.DataFrame(rows, schema=kinds, orient="row")
        return (
            found.group_by("day", "release")
            .agg(
                (pl.col("rating") == value).sum().cast(pl.Int64).alias(name)
                for name, value in RATINGS.items()
            )
            .sort("day", "release")
        )

    def _select(self, *conditions: sa.ColumnElement[bool]) -> list[Feedback]:
        query = sa.select(feedback).where(*conditions)
        order = (feedback.c.at, feedback.c.feedback_id)
        with _database_errors("read"), self._engine.connect() as connection:
            return [_said(row) for row in connection.execute(query.order_by(*order))]


def _said(row: sa.Row[Any]) -> Feedback:
    values = dict(row._mapping)
    return Feedback(**{**values, "at": _utc(values["at"])})


def _utc(moment: datetime) -> datetime:
    """The moment in UTC; SQLite keeps no time zone."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


@contextmanager
def _database_errors(doing: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise StorageError(
            f"Feedback cannot be {doing}: {reason}.", "Check the platform database."
        ) from error
