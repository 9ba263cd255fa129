"""Erasing what judges said of answers that were made from a document, from the database's cache."""

import sqlalchemy as sa

from rag_assets.erasure.base import Erased, Found, Subject
from rag_assets.erasure.redaction import Redaction
from rag_assets.erasure.rewriting import POSTGRES_KEPT, batches, count_rows, purge, secure
from rag_assets.platform.platform import Platform

from .judgements import judgement_documents, judgements

TABLES = (judgements, judgement_documents)
BATCH = 500


class JudgementEraser:
    """Forgets judgements as a whole: their key is a hash of what was judged, their reason repeats it."""

    place = "judgements"

    def find(self, platform: Platform, subject: Subject) -> Found:
        """Count the judgements of answers made from the document, and those that repeat it."""
        with platform.database.connect() as connection:
            keys = _keys(connection, subject)
            rows = count_rows(connection, [judgements])
        return Found(f"{rows} judgements", len(keys))

    def erase(self, platform: Platform, subject: Subject) -> Erased:
        """Delete them; the same answer would be judged anew."""
        engine = platform.database
        with engine.begin() as connection:
            secure(connection)
            keys = sorted(_keys(connection, subject))
            for start in range(0, len(keys), BATCH):
                some = keys[start : start + BATCH]
                for table in (judgement_documents, judgements):
                    connection.execute(sa.delete(table).where(table.c.key.in_(some)))
        purge(engine, TABLES)
        kept = (POSTGRES_KEPT,) if engine.dialect.name == "postgresql" else ()
        return Erased(len(keys), kept)


def _keys(connection: sa.Connection, subject: Subject) -> set[str]:
    mine = judgement_documents.c.document_id == subject.document_id
    keys = set(connection.execute(sa.select(judgement_documents.c.key).where(mine)).scalars())
    redaction = Redaction(subject.phrases)
    for rows in batches(connection, sa.select(judgements.c.key, judgements.c.reason)):
        held = redaction.holding([row["reason"] for row in rows])
        keys |= {row["key"] for row, holds in zip(rows, held, strict=True) if holds}
    return keys
