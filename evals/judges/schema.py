"""Columns of judgements: one row per sample and metric, the failed ones included."""

import polars as pl

JUDGEMENTS = pl.Schema(
    {
        "sample_id": pl.String(),
        "metric": pl.String(),  # <library>.<metric>
        "version": pl.String(),
        "judge": pl.String(),
        "status": pl.String(),  # ok | timeout | invalid | error | not_applicable
        "score": pl.Float64(),  # 0 to 1, 1 is best; null unless ok
        "reason": pl.String(),
        "verdicts": pl.Int64(),
        "calls": pl.Int64(),
        "prompt_tokens": pl.Int64(),
        "completion_tokens": pl.Int64(),
        "cost_usd": pl.Float64(),
        "seconds": pl.Float64(),
        "cached": pl.Boolean(),
        "key": pl.String(),
    }
)
