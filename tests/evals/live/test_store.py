"""Days at rest, on SQLite and on a real PostgreSQL: replaced as a whole, read as they were written."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from evals.live import store
from evals.live.costs import costs_of_day
from evals.live.query_log import summarize_day
from evals.live.schema import (
    LIVE_JUDGEMENTS,
    LIVE_SCORES,
    OCCURRENCES,
    QUERY_COSTS,
    QUERY_DAYS,
)
from rag_assets.platform.database import open_database
from rag_assets.query.log import AnswerLog, AnswerRecord
from tests.platform.databases import fresh_database

from .records import DAY, record, records

NEXT = DAY + timedelta(days=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(fresh_database(request, tmp_path), tmp_path)
    yield engine
    engine.dispose()


def judged(answer_id: str, metric: str = "ragas.faithfulness", **values: Any) -> dict[str, Any]:
    """A row of ``LIVE_JUDGEMENTS``."""
    fixed: dict[str, Any] = {
        "answer_id": answer_id,
        "metric": metric,
        "version": "1",
        "judge": "tiny@localhost",
        "status": "ok",
        "score": 1.0,
        "reason": "",
        "calls": 2,
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "cost_usd": 0.5,
        "release_id": 1,
    }
    return {**fixed, **values}


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=LIVE_JUDGEMENTS)


def test_a_day_is_replaced_and_its_neighbours_are_not(engine: sa.Engine) -> None:
    first = [record("a"), record("b", degraded=["llm_timeout"])]
    for day in (DAY, NEXT):
        store.replace_query_day(engine, day, summarize_day(first, "full"), "run 1")
        store.replace_costs(engine, day, costs_of_day(first, frame(judged("a"))), "run 1")
        store.replace_judgements(engine, day, frame(judged("a"), judged("b")))
    for run in ("run 2", "run 3"):
        store.replace_query_day(engine, DAY, summarize_day([record("c")], "full"), run)
        store.replace_costs(engine, DAY, costs_of_day([record("c", model="m")], frame()), run)
        store.replace_judgements(engine, DAY, frame(judged("c", score=0.25)))
    assert store.query_days(engine, DAY, NEXT)["queries"].to_list() == [1, 2]
    assert store.occurrences(engine, DAY, DAY).filter(what="degraded").is_empty()
    costs = store.costs(engine, DAY, NEXT)
    assert costs.select("day", "answerer", "model", "queries", "cost_usd").rows() == [
        (DAY, "extractive", "m", 1, 0.0),
        (NEXT, "extractive", "", 2, 0.0),
        (NEXT, "judge", "tiny@localhost", 1, 0.5),
    ]
    assert store.judgements_of(engine, DAY).equals(frame(judged("c", score=0.25)))
    assert store.judgements_of(engine, NEXT).equals(frame(judged("a"), judged("b")))


def test_a_day_that_cannot_be_written_stays_as_it_was(engine: sa.Engine) -> None:
    store.replace_judgements(engine, DAY, frame(judged("a")))
    with pytest.raises(IntegrityError):
        store.replace_judgements(engine, DAY, frame(judged("b"), judged("b")))
    assert store.judgements_of(engine, DAY)["answer_id"].to_list() == ["a"]


def test_what_failed_is_missing_coverage_and_no_zero(engine: sa.Engine) -> None:
    failed: dict[str, Any] = {"score": None, "reason": "after 120 s", "cost_usd": 0.25}
    store.replace_judgements(
        engine,
        DAY,
        frame(
            judged("a", score=1.0),
            judged("b", score=0.5),
            judged("c", status="timeout", **failed),
            judged("d", status="invalid", **failed),
            judged("e", status="not_applicable", **failed),
            judged("a", "deepeval.hallucination", status="error", **failed),
            judged("b", "ragas.answer_relevancy", status="not_applicable", **failed),
        ),
    )
    found = {row["metric"]: row for row in store.live_scores(engine, DAY, DAY).to_dicts()}
    faithfulness = found["ragas.faithfulness"]
    assert faithfulness["mean"] == 0.75
    assert 0.5 <= faithfulness["low"] <= 0.75 <= faithfulness["high"] <= 1.0
    assert (faithfulness["judged"], faithfulness["applicable"]) == (2, 4)
    assert faithfulness["coverage"] == 0.5
    assert faithfulness["cost_usd"] == 1.75
    nothing = found["deepeval.hallucination"]
    assert (nothing["mean"], nothing["low"], nothing["coverage"]) == (None, None, 0.0)
    assert found["ragas.answer_relevancy"]["coverage"] is None


def test_without_any_day_the_columns_are_there(engine: sa.Engine) -> None:
    assert store.query_days(engine, DAY, NEXT).schema == QUERY_DAYS
    assert store.occurrences(engine, DAY, NEXT).schema == OCCURRENCES
    assert store.costs(engine, DAY, NEXT).schema == QUERY_COSTS
    assert store.live_scores(engine, DAY, NEXT).schema == LIVE_SCORES
    assert store.judgements_of(engine, DAY).schema == LIVE_JUDGEMENTS


def test_an_older_summary_without_some_columns_can_be_read(engine: sa.Engine) -> None:
    store.replace_query_day(engine, DAY, {"queries": 3}, "run")
    found = store.query_days(engine, DAY, DAY)
    assert found.select("queries", "support").rows() == [(3, None)]
    assert store.occurrences(engine, DAY, DAY).is_empty()


def test_queries_are_counted_by_the_day_of_utc(engine: sa.Engine) -> None:
    log = AnswerLog(engine)
    for answer_id, hour in (("a", -0.01), ("b", 0), ("c", 23.99), ("d", 24)):
        log.record(record(answer_id, hour))
    assert store.queries_on(engine, DAY) == 2
    assert store.queries_on(engine, DAY + timedelta(days=7)) == 0


def test_a_long_model_name_is_cut_to_its_column(engine: sa.Engine) -> None:
    long = [record("a", model="m" * 300), record("b", model="m" * 400, answerer="llm:" + "m" * 300)]
    store.replace_costs(engine, DAY, costs_of_day(long, frame(judged("a", judge="j" * 300))), "run")
    assert store.costs(engine, DAY, DAY)["model"].str.len_chars().to_list() == [256] * 3


@given(first=records(), second=records())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_however_often_a_day_is_computed_it_is_counted_once(
    engine: sa.Engine, first: list[AnswerRecord], second: list[AnswerRecord]
) -> None:
    for day in (first, second, second):
        summary = summarize_day(day, "full")
        store.replace_query_day(engine, DAY, summary, "run")
        store.replace_costs(engine, DAY, costs_of_day(day, frame()), "run")
    found = store.query_days(engine, DAY, DAY).to_dicts()[0]
    assert found == {name: summary.get(name) for name in QUERY_DAYS} | {"day": DAY}
    costs = store.costs(engine, DAY, DAY)
    assert costs["queries"].sum() == len(second)
    assert costs["prompt_tokens"].sum() == found["prompt_tokens"]
    assert costs["cost_usd"].sum() == pytest.approx(found["cost_usd"])


@given(st.lists(st.sampled_from(["ok", "timeout", "invalid", "error", "not_applicable"])))
def test_judged_and_failed_add_up(statuses: list[str]) -> None:
    rows = frame(
        *(
            judged(str(number), status=status, score=0.5 if status == "ok" else None)
            for number, status in enumerate(statuses)
        )
    )
    for score in store.scores_of(rows).to_dicts():
        assert score["judged"] == statuses.count("ok")
        assert score["applicable"] == len(statuses) - statuses.count("not_applicable")
        assert score["cost_usd"] == 0.5 * len(statuses)
        assert (score["mean"] is None) == (score["judged"] == 0)
