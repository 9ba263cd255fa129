"""What a day cost: by answerer and model, and what judging its answers cost."""

import math
from collections.abc import Sequence
from typing import Any

import polars as pl

from rag_assets.query.log import AnswerRecord

from .schema import QUERY_COSTS

JUDGE = "judge"
# as wide as the columns of the table: PostgreSQL refuses longer names
ANSWERER_CHARS = 128
MODEL_CHARS = 256


def costs_of_day(records: Sequence[AnswerRecord], judgements: pl.DataFrame) -> pl.DataFrame:
    """Queries, tokens and money of a day.

    Args:
        records: every answer of the day.
        judgements: what was judged of them (``LIVE_JUDGEMENTS``).

    Returns:
        ``QUERY_COSTS`` but the day: one row for each answerer and model, then one for each judge,
        whose queries are the answers that it was asked about.
    """
    parts: dict[tuple[str, str], list[AnswerRecord]] = {}
    for record in records:
        key = record.answerer[:ANSWERER_CHARS], record.model[:MODEL_CHARS]
        parts.setdefault(key, []).append(record)
    rows: list[dict[str, Any]] = [
        {
            "answerer": answerer,
            "model": model,
            "queries": len(part),
            "prompt_tokens": sum(record.prompt_tokens for record in part),
            "completion_tokens": sum(record.completion_tokens for record in part),
            "cost_usd": math.fsum(record.cost_usd for record in part),
        }
        for (answerer, model), part in sorted(parts.items())
    ]
    rows += _judges(judgements)
    schema = {name: kind for name, kind in QUERY_COSTS.items() if name != "day"}
    return pl.DataFrame(rows, schema=schema)


def _judges(judgements: pl.DataFrame) -> list[dict[str, Any]]:
    asked = judgements.filter(pl.col("calls") > 0)
    asked = asked.with_columns(pl.col("judge").str.head(MODEL_CHARS))
    return [
        {
            "answerer": JUDGE,
            "model": judge,
            "queries": part["answer_id"].n_unique(),
            "prompt_tokens": int(part["prompt_tokens"].sum()),
            "completion_tokens": int(part["completion_tokens"].sum()),
            "cost_usd": math.fsum(part["cost_usd"]),
        }
        for (judge,), part in asked.sort("judge").group_by("judge", maintain_order=True)
    ]
