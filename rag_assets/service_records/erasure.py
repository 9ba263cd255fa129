"""Erasing a document from what people said about answers; and the proof that the audit log has none."""

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from rag_assets.erasure.base import Erased, Found, Subject
from rag_assets.erasure.redaction import Redaction
from rag_assets.erasure.rewriting import POSTGRES_KEPT, batches, count_rows, purge, secure
from rag_assets.platform.platform import Platform
from rag_assets.platform.wording import counted

from .tables import audit_log, feedback

_SAID = (feedback.c.comment, feedback.c.corrected_citations, feedback.c.question_id)


class FeedbackEraser:
    """Takes a document out of comments and corrections; that somebody judged an answer stays."""

    place = "feedback"

    def find(self, platform: Platform, subject: Subject) -> Found:
        """Count what names the document or repeats it."""
        with platform.database.connect() as connection:
            rows = count_rows(connection, [feedback])
            traces = sum(1 for _ in _changes(connection, subject))
        return Found(f"{rows} judgements of answers", traces)

    def erase(self, platform: Platform, subject: Subject) -> Erased:
        """Remove it in one transaction, then the bytes of what was there."""
        engine = platform.database
        with engine.begin() as connection:
            secure(connection)
            changes = list(_changes(connection, subject))
            for feedback_id, values in changes:
                where = feedback.c.feedback_id == feedback_id
                connection.execute(sa.update(feedback).where(where).values(**values))
        purge(engine, [feedback])
        kept = (POSTGRES_KEPT,) if engine.dialect.name == "postgresql" else ()
        return Erased(len(changes), kept)


class AuditLogEraser:
    """Looks through the audit log, which never changes and never holds a text.

    The document's id stays in it, as in the receipt: that it was read, changed and forgotten, and by whom,
    is what the log is for.
    """

    place = "audit log"

    def find(self, platform: Platform, subject: Subject) -> Found:
        """Count rows that repeat the document; its id is not a trace."""
        redaction, columns = Redaction(subject.phrases), audit_log.c
        wanted = (columns.principal, columns.target, columns.outcome, columns.details)
        searched = found = 0
        with platform.database.connect() as connection:
            for rows in batches(connection, sa.select(*wanted)):
                searched += len(rows)
                found += redaction.count([_besides(row, subject.document_id) for row in rows])
        return Found(counted(searched, "entry", "entries"), found)

    def erase(self, platform: Platform, subject: Subject) -> Erased:
        """Nothing: the database refuses to change an entry."""
        return Erased(0)


def _changes(connection: sa.Connection, subject: Subject) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows that hold something of the document, each with what it has to become."""
    redaction = Redaction(subject.phrases)
    query = sa.select(feedback.c.feedback_id, *_SAID)
    for rows in batches(connection, query):
        values = [
            [row["comment"], _without(row, subject.document_id), row["question_id"]] for row in rows
        ]
        for row, new in zip(rows, redaction.values(values), strict=True):
            changed = {
                column.name: value
                for column, value in zip(_SAID, new, strict=True)
                if value != row[column.name]
            }
            if changed:
                yield row["feedback_id"], changed


def _without(row: Mapping[str, Any], document_id: str) -> list[Any]:
    """The corrected citations of other documents."""
    return [
        item
        for item in row["corrected_citations"]
        if not (isinstance(item, dict) and item.get("document_id") == document_id)
    ]


def _besides(row: Mapping[str, Any], document_id: str) -> list[Any]:
    return [value for value in row.values() if value != document_id]
