"""The bridge from a validation to an asset check."""

import dagster as dg

from rag_assets.platform.contracts import Expectation, Outcome, Validation
from rag_assets.platform.dagster_bridge import check_result

UNIQUE = Expectation(
    "id_unique", "expect_column_values_to_be_unique", {"column": "id"}, "ids are names"
)
LONG = Expectation(
    "long", "expect_column_values_to_be_between", {}, "short texts say little", "warn"
)


def test_a_contract_that_holds() -> None:
    outcomes = (Outcome("id_unique", True), Outcome("long", True))
    result = check_result([UNIQUE, LONG], Validation(outcomes, 3, 0.1))
    assert result.passed
    assert result.metadata["expectations"].value == 2


def test_a_breach_names_expectation_rows_examples_and_reason() -> None:
    outcomes = (Outcome("id_unique", False, 2, ("a", "b")), Outcome("long", True))
    result = check_result([UNIQUE, LONG], Validation(outcomes, 3, 0.1))
    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.ERROR
    assert result.description == "id_unique does not hold (2 rows, e.g. a, b): ids are names"


def test_a_warning_does_not_stop_the_run() -> None:
    outcomes = (Outcome("id_unique", True), Outcome("long", False, 1))
    result = check_result([UNIQUE, LONG], Validation(outcomes, 3, 0.1))
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)


def test_an_expectation_that_could_not_run_is_an_error() -> None:
    outcomes = (Outcome("id_unique", False, error="no such column"), Outcome("long", True))
    result = check_result([UNIQUE, LONG], Validation(outcomes, 3, 0.1))
    assert "no such column" in str(result.description)
