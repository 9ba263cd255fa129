"""Erasing a document from the records of evaluations: their summaries may quote what was not found."""

from evals.golden_questions.erasure import phrases_of
from rag_assets.erasure.base import Erased, Found, Subject
from rag_assets.erasure.rewriting import (
    POSTGRES_KEPT,
    count_rows,
    count_traces,
    purge,
    redact_tables,
    secure,
)
from rag_assets.platform.platform import Platform

from .evaluations import evaluations

TABLES = (evaluations,)


class SummaryEraser:
    """Takes phrases out of the summaries; numbers stay."""

    place = "records of evaluations"

    def find(self, platform: Platform, subject: Subject) -> Found:
        """Count the records that repeat the document."""
        with platform.database.connect() as connection:
            traces = count_traces(connection, TABLES, phrases_of(subject))
            return Found(f"{count_rows(connection, TABLES)} evaluations", traces)

    def erase(self, platform: Platform, subject: Subject) -> Erased:
        """Clean the records that do, then the bytes of what was there."""
        engine = platform.database
        with engine.begin() as connection:
            secure(connection)
            removed = redact_tables(connection, TABLES, phrases_of(subject))
        purge(engine, TABLES)
        return Erased(removed, (POSTGRES_KEPT,) if engine.dialect.name == "postgresql" else ())
