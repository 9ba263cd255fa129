"""The summary of judgements: means, intervals, and what is missing."""

from typing import Any

import polars as pl
import pytest

from evals.judges.coverage import summarize
from evals.judges.schema import JUDGEMENTS


def judgement(status: str = "ok", score: float | None = None, **changes: Any) -> dict[str, Any]:
    row = {
        "sample_id": "q",
        "metric": "ragas.faithfulness",
        "version": "1",
        "judge": "m@host",
        "status": status,
        "score": score,
        "reason": "",
        "verdicts": 1,
        "calls": 2,
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "cost_usd": 0.5,
        "seconds": 1.0,
        "cached": False,
        "key": "k",
    }
    return {**row, **changes}


def summary(*rows: dict[str, Any], min_coverage: float = 0.8) -> dict[str, Any]:
    [found] = summarize(pl.DataFrame(list(rows), schema=JUDGEMENTS), min_coverage).values()
    return found


def test_failures_are_missing_and_are_no_zeros() -> None:
    found = summary(
        judgement("ok", 1.0),
        judgement("ok", 0.5),
        judgement("timeout"),
        judgement("invalid"),
        judgement("error"),
        judgement("error"),
        judgement("not_applicable", calls=0, cost_usd=0.0),
    )

    assert found["mean"] == 0.75
    assert (found["judged"], found["applicable"], found["not_applicable"]) == (2, 6, 1)
    assert found["coverage"] == pytest.approx(1 / 3)
    assert found["failed"] == {"timeout": 1, "invalid": 1, "error": 2}
    assert found["counts"] is False


@pytest.mark.parametrize(("failed", "counts"), [(0, True), (1, True), (2, False)])
def test_a_mean_counts_from_the_least_coverage_on(failed: int, counts: bool) -> None:
    rows = [judgement("ok", 0.5)] * 4 + [judgement("invalid")] * failed

    found = summary(*rows, min_coverage=0.8)

    assert found["counts"] is counts
    assert found["mean"] == 0.5, "it is shown all the same"


@pytest.mark.parametrize("status", ["not_applicable", "error"])
def test_nothing_judged_has_no_mean_and_never_counts(status: str) -> None:
    found = summary(judgement(status), min_coverage=0.0)

    assert (found["mean"], found["confidence"], found["counts"]) == (None, None, False)
    assert found["coverage"] == (None if status == "not_applicable" else 0.0)


def test_cost_is_of_all_attempts_by_the_judgements_made_now() -> None:
    cached = judgement("ok", 1.0, cached=True, cost_usd=0.0, calls=0)

    found = summary(judgement("ok", 1.0), judgement("ok", 0.0), judgement("error"), cached)

    assert (found["cost_usd"], found["cost_per_judgement"]) == (1.5, 0.75)
    assert (found["cached"], found["judged"], found["calls"]) == (1, 3, 6)
    assert summary(cached)["cost_per_judgement"] is None


def test_the_interval_lies_around_the_mean() -> None:
    found = summary(*[judgement("ok", score) for score in (0.0, 0.25, 0.5, 0.75, 1.0)])

    low, high = found["confidence"]
    assert 0.0 <= low < found["mean"] < high <= 1.0


def test_every_metric_has_its_own_summary_and_none_is_of_nothing() -> None:
    rows = [judgement("ok", 1.0), judgement("ok", 0.0, metric="deepeval.hallucination")]

    found = summarize(pl.DataFrame(rows, schema=JUDGEMENTS), 0.8)

    assert {name: item["mean"] for name, item in found.items()} == {
        "ragas.faithfulness": 1.0,
        "deepeval.hallucination": 0.0,
    }
    assert summarize(pl.DataFrame([], schema=JUDGEMENTS), 0.8) == {}
