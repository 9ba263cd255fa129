"""Erasing a document from what is known of days of real use."""

import sqlalchemy as sa

from rag_assets.erasure.base import Erased, Found, Subject
from rag_assets.erasure.redaction import Redaction
from rag_assets.erasure.rewriting import (
    POSTGRES_KEPT,
    count_rows,
    count_traces,
    purge,
    redact_tables,
    secure,
)
from rag_assets.platform.platform import Platform
from rag_assets.query.log import answer_documents

from .tables import live_judgements, query_days

TABLES = (live_judgements, query_days)


class LiveEvaluationEraser:
    """Forgets why judges scored real answers as they did; scores and counts stay.

    Which answers knew the document only the query log says: its eraser has to run after this one.
    """

    place = "evaluations of real answers"

    def find(self, platform: Platform, subject: Subject) -> Found:
        """Count the reasons about answers that knew the document, and what repeats it."""
        redaction = Redaction(subject.phrases)
        with platform.database.connect() as connection:
            about = _about(subject)
            query = sa.select(sa.func.count()).select_from(live_judgements).where(about)
            reasons = connection.execute(query).scalar_one()
            said = count_traces(connection, TABLES, redaction)
            searched = f"{count_rows(connection, TABLES)} judgements and days"
        return Found(searched, reasons + said)

    def erase(self, platform: Platform, subject: Subject) -> Erased:
        """Empty the reasons, and take phrases out of the rest."""
        engine, redaction = platform.database, Redaction(subject.phrases)
        with engine.begin() as connection:
            secure(connection)
            update = sa.update(live_judgements).where(_about(subject)).values(reason="")
            reasons = connection.execute(update).rowcount
            said = redact_tables(connection, TABLES, redaction)
        purge(engine, TABLES)
        kept = (POSTGRES_KEPT,) if engine.dialect.name == "postgresql" else ()
        return Erased(reasons + said, kept)


def _about(subject: Subject) -> sa.ColumnElement[bool]:
    mine = sa.select(answer_documents.c.answer_id).where(
        answer_documents.c.document_id == subject.document_id
    )
    return sa.and_(live_judgements.c.answer_id.in_(mine), live_judgements.c.reason != "")
