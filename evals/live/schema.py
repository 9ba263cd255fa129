"""Columns of the days of real use, as the dashboard and the assets read them."""

import polars as pl

# latencies that are worth a plot, by their names in ``timings_ms``
TIMINGS = ("total", "retrieve", "answer_llm")
PERCENTILES = (50, 95, 99)

# one row a day; shares and means are null on a day without queries
QUERY_DAYS = pl.Schema(
    {
        "day": pl.Date(),
        "log": pl.String(),  # query.log when the day was computed: full | hashed | off
        "queries": pl.Int64(),
        "distinct_questions": pl.Int64(),
        "authenticated": pl.Int64(),
        "authenticated_share": pl.Float64(),
        "answered": pl.Int64(),
        "abstained": pl.Int64(),
        "abstained_share": pl.Float64(),
        "degraded": pl.Int64(),  # queries with at least one degradation
        "degraded_share": pl.Float64(),
        "errors": pl.Int64(),
        "errors_share": pl.Float64(),
        **{
            f"{timing}_p{percentile}_ms": pl.Float64()
            for timing in TIMINGS
            for percentile in PERCENTILES
        },
        "prompt_tokens": pl.Int64(),
        "completion_tokens": pl.Int64(),
        "cost_usd": pl.Float64(),
        "cost_usd_per_query": pl.Float64(),
        "support": pl.Float64(),  # mean over the answers of their sentences' mean support
    }
)
# how often something occurred on a day, one row for each kind
OCCURRENCES = pl.Schema(
    {
        "day": pl.Date(),
        "what": pl.String(),  # see COUNTED
        "name": pl.String(),
        "queries": pl.Int64(),
    }
)
COUNTED = ("degraded", "error", "release", "answerer")
QUERY_COSTS = pl.Schema(
    {
        "day": pl.Date(),
        "answerer": pl.String(),  # ``judge`` for what judging real answers cost
        "model": pl.String(),
        "queries": pl.Int64(),
        "prompt_tokens": pl.Int64(),
        "completion_tokens": pl.Int64(),
        "cost_usd": pl.Float64(),
    }
)
# one row per answer and metric
LIVE_JUDGEMENTS = pl.Schema(
    {
        "answer_id": pl.String(),
        "metric": pl.String(),
        "version": pl.String(),
        "judge": pl.String(),
        "status": pl.String(),
        "score": pl.Float64(),
        "reason": pl.String(),
        "calls": pl.Int64(),
        "prompt_tokens": pl.Int64(),
        "completion_tokens": pl.Int64(),
        "cost_usd": pl.Float64(),
        "release_id": pl.Int64(),
    }
)
# one row per day and metric
LIVE_SCORES = pl.Schema(
    {
        "day": pl.Date(),
        "metric": pl.String(),
        "mean": pl.Float64(),  # null where nothing was judged
        "low": pl.Float64(),  # 95% interval of the mean, bootstrap over the answers
        "high": pl.Float64(),
        "judged": pl.Int64(),
        "applicable": pl.Int64(),
        "coverage": pl.Float64(),  # judged / applicable; null where nothing was applicable
        "calls": pl.Int64(),
        "cost_usd": pl.Float64(),
    }
)
