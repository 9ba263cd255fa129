"""The days of real use in the platform database: replaced as a whole, read by the dashboard."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import sqlalchemy as sa

from evals.judges.coverage import summarize
from rag_assets.query.log import answers

from .days import window_of
from .schema import LIVE_JUDGEMENTS, LIVE_SCORES, OCCURRENCES, QUERY_COSTS, QUERY_DAYS
from .tables import live_judgements as live_judgements_table
from .tables import query_costs as query_costs_table
from .tables import query_days as query_days_table


def replace_query_day(engine: sa.Engine, day: date, summary: Mapping[str, Any], run: str) -> None:
    """Put a day's summary (see ``summarize_day``) in the place of what was there."""
    _replace(engine, query_days_table, day, [{"summary": dict(summary), "run_id": run}])


def replace_costs(engine: sa.Engine, day: date, rows: pl.DataFrame, run: str) -> None:
    """Put a day's costs (``QUERY_COSTS``) in the place of what was there."""
    values = [{**row, "run_id": run} for row in rows.drop("day", strict=False).to_dicts()]
    _replace(engine, query_costs_table, day, values)


def replace_judgements(engine: sa.Engine, day: date, rows: pl.DataFrame) -> None:
    """Put a day's judgements (``LIVE_JUDGEMENTS``) in the place of what was there."""
    _replace(engine, live_judgements_table, day, rows.to_dicts())


def queries_on(engine: sa.Engine, day: date) -> int:
    """How many queries of a day the log has so far."""
    start, end = window_of(day)
    query = sa.select(sa.func.count()).where(answers.c.asked_at >= start, answers.c.asked_at < end)
    with engine.connect() as connection:
        return int(connection.execute(query).scalar_one())


def query_days(engine: sa.Engine, first: date, last: date) -> pl.DataFrame:
    """The days from ``first`` to ``last``, both included, that were computed: ``QUERY_DAYS``."""
    rows = [
        {name: row["summary"].get(name) for name in QUERY_DAYS} | {"day": row["day"]}
        for row in _between(engine, query_days_table, first, last)
    ]
    return _frame(rows, QUERY_DAYS)


def occurrences(engine: sa.Engine, first: date, last: date) -> pl.DataFrame:
    """How often which degradation, error, release and answerer occurred: ``OCCURRENCES``."""
    rows = [
        {"day": row["day"], "what": what, "name": name, "queries": queries}
        for row in _between(engine, query_days_table, first, last)
        for what, names in row["summary"].get("counts", {}).items()
        for name, queries in names.items()
    ]
    return _frame(rows, OCCURRENCES)


def costs(engine: sa.Engine, first: date, last: date) -> pl.DataFrame:
    """Queries, tokens and money by day, answerer and model: ``QUERY_COSTS``."""
    return _frame(_between(engine, query_costs_table, first, last), QUERY_COSTS)


def judgements_of(engine: sa.Engine, day: date) -> pl.DataFrame:
    """Every judgement of a day: ``LIVE_JUDGEMENTS``."""
    rows = _between(engine, live_judgements_table, day, day)
    return pl.DataFrame(_picked(rows, LIVE_JUDGEMENTS), schema=LIVE_JUDGEMENTS)


def live_scores(engine: sa.Engine, first: date, last: date) -> pl.DataFrame:
    """What the judges said, by day and metric: ``LIVE_SCORES``.

    A judgement that failed lowers the coverage; it is no score of 0 and does not disappear.
    """
    schema = pl.Schema({"day": pl.String(), **LIVE_JUDGEMENTS})
    stored = _between(engine, live_judgements_table, first, last)
    rows = pl.DataFrame(_picked(stored, schema), schema=schema)
    found = [
        {"day": day, **score}
        for (day,), part in rows.group_by("day", maintain_order=True)
        for score in scores_of(part).to_dicts()
    ]
    return _frame(found, LIVE_SCORES)


def scores_of(rows: pl.DataFrame) -> pl.DataFrame:
    """The scores of one day's judgements (``LIVE_JUDGEMENTS``): ``LIVE_SCORES`` but the day."""
    # in one order, so that the same judgements have the same interval
    ordered = rows.sort("metric", "answer_id").with_columns(cached=False, seconds=0.0)
    found = []
    for metric, summary in summarize(ordered, min_coverage=0.0).items():
        low, high = summary["confidence"] or (None, None)
        found.append({**summary, "metric": metric, "low": low, "high": high})
    schema = pl.Schema({name: kind for name, kind in LIVE_SCORES.items() if name != "day"})
    return pl.DataFrame(_picked(found, schema), schema=schema)


def _replace(
    engine: sa.Engine, table: sa.Table, day: date, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Replace a day in one transaction: there is no moment without it and none with it twice."""
    fixed = {"day": day.isoformat(), "computed_at": datetime.now(UTC)}
    with engine.begin() as connection:
        connection.execute(sa.delete(table).where(table.c.day == fixed["day"]))
        if rows:
            connection.execute(sa.insert(table), [{**row, **fixed} for row in rows])


def _between(engine: sa.Engine, table: sa.Table, first: date, last: date) -> list[dict[str, Any]]:
    """Rows of some days, in the order of the primary key; ISO dates sort as text."""
    condition = table.c.day.between(first.isoformat(), last.isoformat())
    query = sa.select(table).where(condition).order_by(*table.primary_key)
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def _frame(rows: Sequence[Mapping[str, Any]], schema: pl.Schema) -> pl.DataFrame:
    days = [{**row, "day": date.fromisoformat(row["day"])} for row in rows]
    return pl.DataFrame(_picked(days, schema), schema=schema)


def _picked(rows: Sequence[Mapping[str, Any]], schema: pl.Schema) -> list[dict[str, Any]]:
    return [{name: row.get(name) for name in schema} for row in rows]
