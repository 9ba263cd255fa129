"""Erasing a document from the query log and from what the registry says of releases.

The evaluations of real answers find theirs by ``answer_documents``, whose rows go here: their erasers
(``evals/erasure.py``) have to run before this one.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from rag_assets.erasure.base import Erased, Found, Subject
from rag_assets.erasure.redaction import Redaction
from rag_assets.erasure.rewriting import (
    POSTGRES_KEPT,
    batches,
    count_rows,
    count_traces,
    purge,
    redact_tables,
    secure,
)
from rag_assets.platform.platform import Platform
from rag_assets.platform.wording import counted
from rag_assets.query.log import answer_documents, answers
from rag_assets.releases.schema import release_events, release_holds, releases

from .forgotten import names_document, without_document

REGISTRY = (releases, release_events, release_holds)
TABLES = (answers, answer_documents, *REGISTRY)
_TEXTS = ("question", "answer", "filter", "task", "citations", "support", "passages", "error")
_SEARCHED = (*_TEXTS, "degraded", "parameters")


class QueryLogEraser:
    """Forgets what was answered from a document, in the platform database."""

    place = "query log"

    def find(self, platform: Platform, subject: Subject) -> Found:
        """Count the answers that knew the document or repeat it, and the releases that do."""
        redaction = Redaction(subject.phrases)
        with platform.database.connect() as connection:
            touched = {row["answer_id"] for row, _ in _touched(connection, subject, redaction)}
            said = count_traces(connection, REGISTRY, redaction)
            logged, named = (count_rows(connection, [table]) for table in TABLES[:2])
            registered = count_rows(connection, REGISTRY)
        searched = (
            f"{counted(logged, 'answer')}, {counted(named, 'mention')} of documents, "
            f"{counted(registered, 'row')} of the registry"
        )
        return Found(searched, len(touched) + said)

    def erase(self, platform: Platform, subject: Subject) -> Erased:
        """Remove it in one transaction, then the bytes of what was there."""
        engine, redaction = platform.database, Redaction(subject.phrases)
        with engine.begin() as connection:
            secure(connection)
            touched = dict(_changes(connection, subject, redaction))
            for answer_id, values in touched.items():
                if values:
                    where = answers.c.answer_id == answer_id
                    connection.execute(sa.update(answers).where(where).values(**values))
            mine = answer_documents.c.document_id == subject.document_id
            connection.execute(sa.delete(answer_documents).where(mine))
            said = redact_tables(connection, REGISTRY, redaction)
        purge(engine, TABLES)
        kept = (POSTGRES_KEPT,) if engine.dialect.name == "postgresql" else ()
        return Erased(len(touched) + said, kept)


def _changes(
    connection: sa.Connection, subject: Subject, redaction: Redaction
) -> Iterator[tuple[str, Any]]:
    for row, named in _touched(connection, subject, redaction):
        yield (
            row["answer_id"],
            without_document(row, subject.document_id, redaction, named=named),
        )


def _touched(
    connection: sa.Connection, subject: Subject, redaction: Redaction
) -> Iterator[tuple[dict[str, Any], bool]]:
    """The rows that knew the document or hold a phrase of it, and whether they knew it."""
    mine = answer_documents.c.document_id == subject.document_id
    named = set(connection.execute(sa.select(answer_documents.c.answer_id).where(mine)).scalars())
    for rows in batches(connection, sa.select(answers)):
        known = [
            row["answer_id"] in named or names_document(row, subject.document_id) for row in rows
        ]
        texts = [[row[name] for name in _SEARCHED] for row in rows]
        for row, knew, clean, before in zip(
            rows, known, redaction.values(texts), texts, strict=True
        ):
            if knew or clean != before:
                yield row, knew
