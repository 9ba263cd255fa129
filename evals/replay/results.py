"""Replays at rest: a record in the platform database, and a Parquet table of rows for each.

Answers say what documents say. They are looked at when questions are asked, and are not kept.
"""

import polars as pl

from evals.evaluations import Evaluation, Evaluations, Kind, write_rows
from rag_assets.platform.platform import Platform

from .questions import RealQuestions
from .replay import Replayed
from .schema import REPLAYED, STORED, UNSTORED

KIND: Kind = "replay"
DATASET = "real questions"
TABLE = "replay"


def store(
    platform: Platform, replayed: Replayed, questions: RealQuestions, run_id: str
) -> Evaluation:
    """Keep a replay: the rows first, then the record that names them."""
    evaluation = Evaluation(
        kind=KIND,
        dataset=DATASET,
        release_id=replayed.candidate,
        baseline_release_id=replayed.baseline,
        questions_version=questions.version,
        run_id=run_id,
        summary={**replayed.summary, "distinct": questions.distinct},
    )
    write_rows(platform, evaluation, replayed.rows.select(STORED.names()), TABLE)
    Evaluations(platform.database).record([evaluation])
    return evaluation


def read_rows(platform: Platform, evaluation: Evaluation) -> pl.DataFrame:
    """The rows of a replay, ``REPLAYED`` without the answers; none where they were cleaned up."""
    rows = platform.tables.read(TABLE, evaluation.evaluation_id, STORED)
    absent = [pl.lit(None, REPLAYED[name]).alias(name) for name in UNSTORED]
    return rows.with_columns(absent).select(REPLAYED.names())


def newest_replay(platform: Platform, candidate: int, live: int) -> Evaluation | None:
    """The newest replay of a candidate beside a release."""
    found = [
        item
        for item in Evaluations(platform.database).all(KIND)
        if (item.release_id, item.baseline_release_id) == (candidate, live)
    ]
    return found[-1] if found else None
