"""Columns of what the dashboard shows of evaluations; those of days are in ``evals.live.schema``."""

import polars as pl

RELEASES = pl.Schema(
    {
        "release": pl.Int64(),
        "status": pl.String(),  # candidate | live | retired | rejected
        "reason": pl.String(),
        "created_at": pl.Datetime("us", "UTC"),
        "promoted_at": pl.Datetime("us", "UTC"),  # null where it never was
        "documents": pl.Int64(),
        "chunks": pl.Int64(),
    }
)
# a mean of one metric: of a whole set (tag "") or of its questions with one tag
_MEAN = {
    "release": pl.Int64(),
    "dataset": pl.String(),
    "tag": pl.String(),
    "metric": pl.String(),
    "mean": pl.Float64(),  # null where nothing could be measured
    "low": pl.Float64(),  # 95% interval; null for tags
    "high": pl.Float64(),
    "questions": pl.Int64(),
}
RETRIEVAL = pl.Schema(_MEAN)
ANSWERS = pl.Schema(
    {
        **_MEAN,
        "judge": pl.String(),  # "" for metrics that need none
        "coverage": pl.Float64(),  # judged / applicable; 1 without a judge
        "counts": pl.Boolean(),  # whether enough was judged for the score to count
        "cost_usd": pl.Float64(),
    }
)
# a release beside the one that was live when it was evaluated
COMPARISONS = pl.Schema(
    {
        "release": pl.Int64(),
        "baseline": pl.Int64(),
        "dataset": pl.String(),
        "metric": pl.String(),
        "gain": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "questions": pl.Int64(),
        "worse": pl.Int64(),
        "better": pl.Int64(),
    }
)
# one row per question whose nDCG fell, the greatest loss of the newest release first
REGRESSED = pl.Schema(
    {
        "release": pl.Int64(),
        "baseline": pl.Int64(),
        "dataset": pl.String(),
        "question_id": pl.String(),
        "question": pl.String(),
        "tags": pl.List(pl.String()),
        "relevant": pl.List(pl.String()),
        "ndcg": pl.Float64(),
        "baseline_ndcg": pl.Float64(),
        "difference": pl.Float64(),  # below 0
        "ranking": pl.List(pl.String()),
        "baseline_ranking": pl.List(pl.String()),
        "evidence": pl.String(),
        "evidence_note": pl.String(),
    }
)
