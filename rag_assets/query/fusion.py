"""Fusion of two ranked lists: min–max normalised, weighted sum.

Source: Bruch, Gai, Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval" (2023).
"""

import polars as pl

SMALLEST_RANGE = (
    1e-9  # scores closer than this are rounding, and would be divided by almost nothing
)


def fuse(dense: pl.DataFrame, full_text: pl.DataFrame, weight: float) -> pl.DataFrame:
    """Combine the legs of a hybrid search.

    Args:
        dense, full_text: hits with columns chunk_id, score and whatever is to be kept.
        weight: share of the dense leg, from 0 to 1.

    Returns:
        The union of the hits with ``score`` in [0, 1] and the legs' own ``dense_score`` and
        ``full_text_score`` (null where a leg did not find the chunk), best first; ties are broken
        by chunk_id so that the order is always the same.
    """
    kept = [name for name in dense.columns if name != "score"]
    left = dense.with_columns(dense_score="score", dense_part=_normalised("score")).drop("score")
    right = full_text.with_columns(
        full_text_score="score", full_text_part=_normalised("score")
    ).drop("score")
    scores = ["dense_score", "full_text_score", "dense_part", "full_text_part"]
    union = pl.concat([left, right], how="diagonal_relaxed")
    merged = union.group_by("chunk_id", maintain_order=True).agg(
        *[pl.col(name).first() for name in kept if name != "chunk_id"],
        *[pl.col(name).max() for name in scores],
    )
    combined = weight * pl.col("dense_part").fill_null(0.0) + (1 - weight) * pl.col(
        "full_text_part"
    ).fill_null(0.0)
    return (
        merged.with_columns(score=combined)
        .drop("dense_part", "full_text_part")
        .sort(["score", "chunk_id"], descending=[True, False])
    )


def _normalised(name: str) -> pl.Expr:
    """Min–max to [0, 1]; where all scores are equal they are all the best there is."""
    low, high = pl.col(name).min(), pl.col(name).max()
    different = (high - low) > SMALLEST_RANGE
    return pl.when(different).then((pl.col(name) - low) / (high - low)).otherwise(1.0)
