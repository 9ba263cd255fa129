"""The rows of a retrieval evaluation, and their Parquet table: one for each evaluation."""

from collections.abc import Sequence

import polars as pl

from evals.evaluations import Evaluation, Evaluations, write_rows
from rag_assets.platform.platform import Platform
from rag_assets.query.parameters import QueryParameters

from .measure import FOUND, measure
from .run import Run
from .schema import MEASURED, RETRIEVAL_RESULTS


def result_rows(
    run: Run, parameters: QueryParameters, baseline: pl.DataFrame | None = None, *, abstain: bool
) -> pl.DataFrame:
    """What one release found, beside what the live one did.

    Args:
        run: of ``RESOLVED_QUESTIONS``; see ``measure.measure``, as for parameters and abstain.
        baseline: ``FOUND`` of the live release; its columns are null where nothing is known.

    Returns:
        ``RETRIEVAL_RESULTS``, in the order of the questions.
    """
    found = measure(run, parameters, abstain=abstain)
    documents = pl.element().struct.field("document_id")
    asked = run.questions.drop("evidence", "evidence_note").with_columns(
        pl.col("relevant").list.eval(documents).list.unique(maintain_order=True)
    )
    live = FOUND.to_frame() if baseline is None else baseline
    renamed = {name: f"baseline_{name}" for name in (*MEASURED, "evidence")}
    return (
        asked.join(found, on="question_id", maintain_order="left")
        .join(
            live.drop("evidence_note").rename(renamed),
            on="question_id",
            how="left",
            maintain_order="left",
        )
        .select(RETRIEVAL_RESULTS.names())
        .cast(RETRIEVAL_RESULTS)
    )


def store(platform: Platform, found: Sequence[tuple[Evaluation, pl.DataFrame]]) -> None:
    """Store evaluations with their rows: all rows first, then the records.

    A crash between the two leaves rows that nobody names, never a record without rows.
    """
    for evaluation, rows in found:
        frame = rows.select(RETRIEVAL_RESULTS.names()).cast(RETRIEVAL_RESULTS)
        write_rows(platform, evaluation, frame)
    Evaluations(platform.database).record([evaluation for evaluation, _ in found])


def read_results(platform: Platform, evaluation: Evaluation) -> pl.DataFrame:
    """The rows of an evaluation, ``RETRIEVAL_RESULTS``; none where they have been cleaned up."""
    return platform.tables.read(evaluation.table, evaluation.evaluation_id, RETRIEVAL_RESULTS)
