"""The asset in Dagster: metadata, the check of the evidence, the contract."""

from pathlib import Path

import dagster as dg
import polars as pl

from evals.golden_questions.asset import flagged_table, golden_questions_asset
from evals.golden_questions.checks import CONTRACT
from evals.golden_questions.collect import questions_version, read_golden_questions
from evals.golden_questions.schema import RESOLVED_QUESTIONS
from rag_assets.platform.contracts import validate_table
from rag_assets.platform.platform import Platform

from .conftest import ingested, question, write_set


def materialized(platform: Platform) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [golden_questions_asset(platform.settings)],
        resources={"platform": dg.ResourceDefinition.hardcoded_resource(platform)},
        raise_on_error=False,
    )


def test_what_dagster_shows_is_what_the_table_says(house: Path) -> None:
    write_set(
        house,
        question("good", ("docs/leave.md", "five days")),
        question("bad|one", ("docs/travel.md", "a | b")),
        question("none"),
    )
    platform = ingested()
    result = materialized(platform)

    assert result.success
    questions = read_golden_questions(platform)
    (event,) = result.asset_materializations_for_node("golden_questions")
    values = {name: item.value for name, item in event.metadata.items()}
    assert values["dagster/row_count"] == questions.height == 6
    assert (values["set/house"], values["set/known_items"], values["evidence/changed"]) == (3, 3, 1)
    assert (values["answerable"], values["unanswerable"], values["gating"]) == (5, 1, 6)
    tags = event.tags or {}
    assert tags["dagster/data_version"] == questions_version(questions)[:32]

    (check,) = result.get_asset_check_evaluations()
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert not check.blocking
    listed = str(check.metadata["questions"].value)
    assert "bad\\|one" in listed
    assert "| changed | docs/travel.md |" in listed
    assert "a \\| b" not in listed  # Dagster is shown no words of documents
    assert "| good |" not in listed


def test_a_set_that_cannot_be_read_fails_the_run_in_plain_words(house: Path) -> None:
    result = materialized(Platform.load())
    assert not result.success
    (failure,) = [event for event in result.all_node_events if event.is_step_failure]
    assert "question set 'house'" in str(failure.step_failure_data.user_failure_data)


def test_nothing_flagged_is_said_so() -> None:
    assert flagged_table(RESOLVED_QUESTIONS.to_frame()) == "All evidence is current."


def broken(frame: pl.DataFrame, path: Path) -> set[str]:
    frame.write_parquet(path)
    return {item.name for item in validate_table(path, CONTRACT).outcomes if not item.passed}


def test_the_contract_holds_for_the_table_and_breaks_for_wrong_ones(
    house: Path, tmp_path: Path
) -> None:
    write_set(
        house,
        question("a", ("docs/leave.md", None)),
        question("b", ("docs/leave.md", None), origin="synthetic"),
    )
    platform = ingested()
    materialized(platform)
    frame, path = read_golden_questions(platform), tmp_path / "table.parquet"
    assert broken(frame, path) == set()
    assert broken(RESOLVED_QUESTIONS.to_frame(), path) == set()
    assert broken(pl.concat([frame, frame]), path) == {"question_unique_in_its_set"}
    gating = frame.with_columns(gate=pl.lit(True))
    assert broken(gating, path) == {"synthetic_never_gates"}
    wrong = frame.with_columns(evidence=pl.lit("lost"), question=pl.lit(" "))
    assert broken(wrong, path) == {"evidence_known", "question_form"}
