"""Contracts: one validation of a stored table gives one outcome per expectation, by a real suite."""

import io
from collections.abc import Iterator

import polars as pl
import pytest

from rag_assets.platform.contracts import (
    ContractRunner,
    Expectation,
    between,
    columns_are,
    in_set,
    matches,
    not_null,
    unique,
)
from rag_assets.platform.errors import ContractError


@pytest.fixture(scope="module")
def runner() -> Iterator[ContractRunner]:
    runner = ContractRunner()
    yield runner
    runner.close()


def stored(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


CONTRACT = (
    columns_are(["id", "state", "count", "groups"], ""),
    unique("id", ""),
    not_null("id", ""),
    in_set("state", ["good", "bad"], ""),
    matches("id", "^[a-z]+$", ""),
    between("count", 1, None, ""),
)


def test_a_good_table_passes(runner: ContractRunner) -> None:
    frame = pl.DataFrame(
        {"id": ["a", "b"], "state": ["good", None], "count": [1, 5], "groups": [["x"], []]}
    )
    validation = runner.validate(stored(frame), CONTRACT)
    assert [outcome.name for outcome in validation.outcomes if not outcome.passed] == []
    assert validation.rows == 2


def test_every_breach_is_named_with_examples(runner: ContractRunner) -> None:
    frame = pl.DataFrame(
        {"id": ["a", "a", "B", None], "state": ["good", "odd", "bad", "bad"], "count": [0, 1, 2, 3]}
    )
    outcomes = {item.name: item for item in runner.validate(stored(frame), CONTRACT).outcomes}
    assert {name for name, outcome in outcomes.items() if not outcome.passed} == {
        "columns",
        "id_unique",
        "id_not_null",
        "state_known",
        "id_form",
        "count_range",
    }
    assert outcomes["id_unique"].unexpected == 2
    assert outcomes["state_known"].examples == ("odd",)


def test_an_expectation_that_cannot_run_fails_and_says_why(runner: ContractRunner) -> None:
    frame = pl.DataFrame({"id": ["a"]})
    (outcome,) = runner.validate(stored(frame), [not_null("absent", "")]).outcomes
    assert not outcome.passed
    assert "absent" in outcome.error


def test_an_empty_table_passes(runner: ContractRunner) -> None:
    frame = pl.DataFrame(
        schema={
            "id": pl.String,
            "state": pl.String,
            "count": pl.Int64,
            "groups": pl.List(pl.String),
        }
    )
    assert all(outcome.passed for outcome in runner.validate(stored(frame), CONTRACT).outcomes)


def test_a_killed_worker_is_replaced(runner: ContractRunner) -> None:
    frame = stored(pl.DataFrame({"id": ["a"]}))
    runner.validate(frame, [unique("id", "")])
    runner._process.kill()
    runner._process.join()
    (outcome,) = runner.validate(frame, [unique("id", "")]).outcomes
    assert outcome.passed


def test_conditions_restrict_rows(runner: ContractRunner) -> None:
    clause = Expectation(
        "reason",
        "expect_column_values_to_not_be_null",
        {"column": "why", "row_condition": 'state == "bad"', "condition_parser": "pandas"},
    )
    good = pl.DataFrame({"state": ["good", "bad"], "why": [None, "x"]})
    bad = pl.DataFrame({"state": ["good", "bad"], "why": ["x", None]})
    assert runner.validate(stored(good), [clause]).outcomes[0].passed
    assert not runner.validate(stored(bad), [clause]).outcomes[0].passed


def test_a_table_that_cannot_be_read_is_an_error_not_a_verdict(runner: ContractRunner) -> None:
    with pytest.raises(ContractError, match="could not be evaluated"):
        runner.validate(b"not parquet", [unique("id", "")])
