"""Erasing a document from stored retrieval evaluations: what was asked of it, and where it ranked."""

import polars as pl

from evals.golden_questions.collect import read_golden_questions
from evals.golden_questions.erasure import gold_of, phrases_of
from evals.table_erasure import clean_tables, read_tables, redacted
from rag_assets.erasure.base import Erased, Found, Subject
from rag_assets.erasure.redaction import Redaction
from rag_assets.platform.platform import Platform
from rag_assets.platform.wording import counted

from .schema import RETRIEVAL_RESULTS

TABLE = "retrieval_evaluation"


def gold_questions(platform: Platform, document_id: str) -> set[str]:
    """``question_sha256`` of every question that rests on a document, now or when it was evaluated."""
    found = gold_of(read_golden_questions(platform), document_id)
    for _, frame in read_tables(platform, TABLE, RETRIEVAL_RESULTS):
        mine = frame.filter(pl.col("relevant").list.contains(document_id))
        found |= set(mine["question_sha256"].drop_nulls())
    return found


class RetrievalEvaluationEraser:
    """Forgets the questions that a document answers; means that were measured stay as they are."""

    place = "retrieval evaluations"

    def find(self, platform: Platform, subject: Subject) -> Found:
        """Count the rows that rest on the document, rank it or repeat it."""
        tables, rows, traces = self._clean(platform, subject, write=False)
        return Found(f"{counted(rows, 'row')} of {counted(tables, 'evaluation')}", traces)

    def erase(self, platform: Platform, subject: Subject) -> Erased:
        """Drop its questions; rankings of others say that something was forgotten."""
        return Erased(self._clean(platform, subject, write=True)[2])

    def _clean(self, platform: Platform, subject: Subject, *, write: bool) -> tuple[int, int, int]:
        redaction = phrases_of(subject)

        def clean(_: str, frame: pl.DataFrame) -> pl.DataFrame:
            return without_document(frame, subject.document_id, redaction)

        return clean_tables(platform, TABLE, RETRIEVAL_RESULTS, clean, write=write)


def without_document(frame: pl.DataFrame, document_id: str, redaction: Redaction) -> pl.DataFrame:
    """``RETRIEVAL_RESULTS`` without the questions that rest on a document or repeat it."""
    repeats = pl.Series(redaction.holding(frame["question"].to_list()), dtype=pl.Boolean)
    left = frame.filter(
        ~pl.col("relevant").list.contains(document_id).fill_null(value=False), ~repeats
    )
    return redacted(left, document_id, redaction)
