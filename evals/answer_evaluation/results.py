"""An answer evaluation at rest: its rows and judgements, one Parquet table each, and its record."""

import polars as pl

from evals.evaluations import Evaluation, Evaluations, write_rows
from evals.judges.schema import JUDGEMENTS
from rag_assets.platform.platform import Platform

from .schema import ANSWER_RESULTS

JUDGEMENTS_TABLE = "judgements"


def store(
    platform: Platform, evaluation: Evaluation, rows: pl.DataFrame, judgements: pl.DataFrame
) -> int:
    """Store an evaluation: the tables first, then the record that says that they are there.

    Args:
        rows: ``ANSWER_RESULTS``.
        judgements: ``JUDGEMENTS``.

    Returns:
        the bytes written.
    """
    written = write_rows(platform, evaluation, rows.cast(ANSWER_RESULTS))
    written += write_rows(platform, evaluation, judgements.cast(JUDGEMENTS), JUDGEMENTS_TABLE)
    Evaluations(platform.database).record([evaluation])
    return written


def read_answers(platform: Platform, evaluation: Evaluation) -> pl.DataFrame:
    """The rows of an evaluation, ``ANSWER_RESULTS``; none where they have been cleaned up."""
    return platform.tables.read(evaluation.table, evaluation.evaluation_id, ANSWER_RESULTS)


def read_judgements(platform: Platform, evaluation: Evaluation) -> pl.DataFrame:
    """The judgements of an evaluation, ``JUDGEMENTS``."""
    return platform.tables.read(JUDGEMENTS_TABLE, evaluation.evaluation_id, JUDGEMENTS)
