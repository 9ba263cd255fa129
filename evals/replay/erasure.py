"""Erasing a document from stored replays of real questions."""

import polars as pl

from evals.golden_questions.erasure import phrases_of
from evals.table_erasure import clean_tables, redacted
from rag_assets.erasure.base import Erased, Found, Subject
from rag_assets.erasure.redaction import Redaction
from rag_assets.platform.platform import Platform
from rag_assets.platform.wording import counted

from .schema import STORED

TABLE = "replay"


class ReplayEraser:
    """Forgets questions that repeat a document, and that it was found."""

    place = "replays"

    def find(self, platform: Platform, subject: Subject) -> Found:
        """Count the rows that name the document or repeat it."""
        tables, rows, traces = _clean(platform, subject, write=False)
        return Found(f"{counted(rows, 'row')} of {counted(tables, 'replay')}", traces)

    def erase(self, platform: Platform, subject: Subject) -> Erased:
        """Drop such questions; in the place of its id stands that something was forgotten."""
        return Erased(_clean(platform, subject, write=True)[2])


def _clean(platform: Platform, subject: Subject, *, write: bool) -> tuple[int, int, int]:
    redaction = phrases_of(subject)

    def clean(_: str, frame: pl.DataFrame) -> pl.DataFrame:
        return without_document(frame, subject.document_id, redaction)

    return clean_tables(platform, TABLE, STORED, clean, write=write)


def without_document(frame: pl.DataFrame, document_id: str, redaction: Redaction) -> pl.DataFrame:
    """The rows of a replay without a document; ranks stay what they were."""
    repeats = pl.Series(redaction.holding(frame["question"].to_list()), dtype=pl.Boolean)
    return redacted(frame.filter(~repeats), document_id, redaction)
