"""The audit log: who asked or changed what, under which release, and how it ended.

A row never holds a text of a document or a question, so that nothing in it ever has to be erased:
what is no name, number or identifier is written as its hash.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from rag_assets.platform.errors import StorageError
from rag_assets.platform.fingerprint import sha256_text
from rag_assets.platform.storable import storable

from .tables import audit_log

LONGEST_TARGET = 1000
# identifiers, and what stands in the place of personal data; not sentences
_PLAIN = re.compile(r"[\w.:/@+=,\-\[\]]{0,200}", re.ASCII)


@dataclass(frozen=True)
class AuditEntry:
    """One row of the log.

    Attributes:
        principal: who.
        action: what, e.g. ``ask`` or ``release.promote``.
        target: on what: an answer, document, release or key by its id.
        outcome: ``ok``, ``denied`` or ``failed``, or what the action says more exactly.
        at: when; UTC when it is read back.
        release_id: the release it was done under.
        request_id: as in the logs and in the response.
        details: further names and numbers.
        id: of the row; None before it is written.
    """

    principal: str
    action: str
    target: str
    outcome: str
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    release_id: int | None = None
    request_id: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    id: int | None = None


class AuditLog:
    """Writes and reads the log.

    Args:
        engine: the platform database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def append(self, entries: Sequence[AuditEntry]) -> None:
        """Write entries in one transaction.

        Raises:
            StorageError: they could not be written.
        """
        rows = [_row(entry) for entry in entries]
        if not rows:
            return
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(audit_log), rows)
        except SQLAlchemyError as error:
            raise _unusable("written", error) from error

    def entries(
        self,
        *,
        principal: str = "",
        action: str = "",
        target: str = "",
        outcome: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        before_id: int | None = None,
        limit: int = 100,
    ) -> list[AuditEntry]:
        """Read entries, newest first.

        Args:
            principal, action, target, outcome: only these; an action that ends with a dot stands
                for all that begin so.
            since, until: only from then (included) to then (not).
            before_id: only older rows, for the next page.
            limit: most entries.

        Raises:
            StorageError: the database cannot be read.
        """
        columns = audit_log.c
        conditions = [
            column == _storable(value)
            for column, value in (
                (columns.principal, principal),
                (columns.target, target),
                (columns.outcome, outcome),
            )
            if value
        ]
        if action.endswith("."):
            conditions.append(columns.action.startswith(_storable(action), autoescape=True))
        elif action:
            conditions.append(columns.action == _storable(action))
        if since is not None:
            conditions.append(columns.at >= _utc(since))
        if until is not None:
            conditions.append(columns.at < _utc(until))
        if before_id is not None:
            conditions.append(columns.id < before_id)
        query = sa.select(audit_log).where(*conditions).order_by(columns.id.desc()).limit(limit)
        try:
            with self._engine.connect() as connection:
                return [_entry(row) for row in connection.execute(query)]
        except SQLAlchemyError as error:
            raise _unusable("read", error) from error


def without_texts(value: Any) -> Any:
    """A value of details with every text that may be a sentence replaced by its hash."""
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, dict):
        return {str(without_texts(str(key))): without_texts(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [without_texts(item) for item in items]
    text = str(value)
    return text if _PLAIN.fullmatch(text) else f"sha256:{sha256_text(text)}"


def _row(entry: AuditEntry) -> dict[str, Any]:
    return {
        "at": _utc(entry.at),
        "principal": _storable(entry.principal),
        "action": entry.action[:64],
        "target": _storable(entry.target),
        "release_id": entry.release_id,
        "outcome": entry.outcome[:32],
        "request_id": str(without_texts(entry.request_id))[:128],
        "details": without_texts(entry.details),
    }


def _storable(text: str) -> str:
    """As every database takes it, and not too long."""
    return str(storable(text))[:LONGEST_TARGET]


def _entry(row: sa.Row[Any]) -> AuditEntry:
    values = dict(row._mapping)
    values["at"] = _utc(values["at"])
    return AuditEntry(**values)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _unusable(doing: str, error: SQLAlchemyError) -> StorageError:
    reason = str(getattr(error, "orig", None) or error).splitlines()[0]
    return StorageError(
        f"The audit log cannot be {doing}: {reason}.", "Check the platform database."
    )
