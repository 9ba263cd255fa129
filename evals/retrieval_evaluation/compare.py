"""The candidate beside the live release, question by question: which got worse, and is it chance?"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from evals.statistics import CONFIDENCE, Interval, paired_difference

DIFFERENCE = "difference"


@dataclass(frozen=True)
class Comparison:
    """One metric of two releases on the questions that both can be held to.

    Attributes:
        metric: its column in ``RETRIEVAL_RESULTS``.
        n: questions compared.
        candidate, baseline: the two means; NaN without questions.
        difference: mean of candidate - baseline with its paired bootstrap interval.
        worse: ``RETRIEVAL_RESULTS`` and ``difference``: what got worse, the greatest loss first.
        better: the same of what got better, the greatest gain first.
    """

    metric: str
    n: int
    candidate: float
    baseline: float
    difference: Interval
    worse: pl.DataFrame
    better: pl.DataFrame


def compared(rows: pl.DataFrame, metric: str) -> pl.DataFrame:
    """The questions by which a candidate can be held to the live release.

    These are the ones whose evidence was in the live release. Where their document is gone since,
    they count as missed. Where only the quote is gone, the document may still be found: what is
    measured of passages is left out, and so is a known item, which was the quote and nothing else.

    Args:
        rows: ``RETRIEVAL_RESULTS``.
        metric: a measured column, e.g. ``ndcg``.

    Returns:
        these rows; ``metric`` is never null, ``baseline_<metric>`` neither.
    """
    gone = pl.col("evidence").is_in(["deleted", "unknown"])
    reworded = (pl.col("origin") == "known_item") & (pl.col("evidence") == "changed")
    counted = pl.when(gone).then(pl.col(metric).fill_null(0.0)).otherwise(pl.col(metric))
    return (
        rows.filter(
            pl.col("baseline_evidence") == "current",
            pl.col(f"baseline_{metric}").is_not_null(),
            ~reworded.fill_null(False),
        )
        .with_columns(counted)
        .drop_nulls(metric)
    )


def compare(rows: pl.DataFrame, metric: str, confidence: float = CONFIDENCE) -> Comparison:
    """Compare the candidate with the live release by paired bootstrap.

    Questions about the same document are drawn together, where ``relevant`` says what they are
    about: five questions about one deleted document are one loss, not five.

    Args:
        rows: ``RETRIEVAL_RESULTS`` of one set; ``relevant`` may be missing.
        metric: a measured column, e.g. ``ndcg`` or ``evidence_recall``.
        confidence: of the interval of the difference.
    """
    # the same questions give the same interval in whatever order they come
    pairs = compared(rows, metric).sort("question_sha256", "question_id")
    candidate = pairs[metric].cast(pl.Float64).to_numpy()
    baseline = pairs[f"baseline_{metric}"].cast(pl.Float64).to_numpy()
    changed = pairs.with_columns(pl.Series(DIFFERENCE, candidate - baseline, pl.Float64))
    return Comparison(
        metric,
        len(pairs),
        _mean(candidate),
        _mean(baseline),
        paired_difference(candidate, baseline, confidence, _clusters(pairs)),
        changed.filter(pl.col(DIFFERENCE) < 0).sort(DIFFERENCE, "question_id"),
        changed.filter(pl.col(DIFFERENCE) > 0).sort(
            DIFFERENCE, "question_id", descending=[True, False]
        ),
    )


def _clusters(pairs: pl.DataFrame) -> list[str]:
    """The document that each question is about, the first of several; else the question itself."""
    if "relevant" not in pairs.columns:
        return pairs["question_id"].to_list()
    about = pl.col("relevant").list.sort().list.first()
    # a document and a question may have the same name
    named = pl.coalesce("document " + about, "question " + pl.col("question_id"))
    return pairs.select(named).to_series().to_list()


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
