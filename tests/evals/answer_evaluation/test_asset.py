"""The Dagster node: which release and which questions, what is kept, what the UI says."""

from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from evals.answer_evaluation.asset import NO_QUESTIONS, answer_evaluation_asset, gating
from evals.answer_evaluation.evaluate import evaluate_answers
from evals.answer_evaluation.metadata import NO_JUDGE, cell, worst_answers
from evals.answer_evaluation.results import read_answers, read_judgements, store
from evals.evaluations import Evaluation, Evaluations
from evals.golden_questions.collect import questions_version
from evals.golden_questions.schema import KNOWN_ITEMS
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import JudgeSettings, Settings
from rag_assets.platform.tables import Stamp
from rag_assets.query.engine import QueryEngine
from rag_assets.query.pinned import without_groups
from rag_assets.query.resource import RAG_QUERY, rag_query_resource
from rag_assets.releases.candidate import open_candidate
from rag_assets.releases.registry import Registry
from tests.evals.answer_evaluation.deployment import golden, resolved
from tests.evals.judges.judge_server import MODEL, Fault, JudgeServer
from tests.jobs.harness import build_index
from tests.query.restricted import canary, changed, released


@pytest.fixture
def own_platform(tmp_path: Path, model_cache: Path) -> Platform:
    """A deployment of this test's own."""
    return released(tmp_path, model_cache)


def keep(platform: Platform, *frames: pl.DataFrame) -> None:
    platform.tables.write("golden_questions", "", pl.concat(frames), Stamp("d", "", ""))


def materialize(platform: Platform) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [answer_evaluation_asset(platform.settings)],
        resources={"platform": platform, RAG_QUERY: rag_query_resource(platform)},
        raise_on_error=False,
    )


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    event = result.asset_materializations_for_node("answer_evaluation")[0]
    return {name: value.value for name, value in event.metadata.items()}


def only_check(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (check,) = result.get_asset_check_evaluations()
    assert check.check_name == "judge_coverage"
    assert check.severity == dg.AssetCheckSeverity.WARN
    return check


def test_the_live_release_is_evaluated_and_everything_is_kept(own_platform: Platform) -> None:
    keep(own_platform, resolved(), resolved("second"), resolved("other", gate=False))
    result = materialize(own_platform)
    assert result.success
    found = Evaluations(own_platform.database).all("answer")
    assert [item.dataset for item in found] == ["golden", "second"]
    live = Registry(own_platform.database).live()
    assert live is not None
    for item in found:
        assert (item.release_id, item.baseline_release_id) == (live.id, None)
        assert item.run_id == result.run_id
        assert item.questions_version == questions_version(resolved(item.dataset))
        assert item.summary["dataset"] == item.dataset
        rows = read_answers(own_platform, item)
        assert rows.height == item.summary["queries"] == 8
        assert rows["question_sha256"].null_count() == 0
        assert read_judgements(own_platform, item).is_empty()
    shown = metadata(result)
    assert shown["sets"] == 2
    assert shown["outcome"] == NO_JUDGE
    mean = found[0].summary["metrics"]["token_f1"]["mean"]
    assert shown["golden/token_f1"] == pytest.approx(mean)
    assert shown["dagster/row_count"] == 16
    worst = str(shown["worst_answers"])
    texts = [text for item in found for text in read_answers(own_platform, item)["answer"] if text]
    assert texts
    assert not any(cell(text)[:40] in worst for text in texts)  # they say what documents say
    assert "docs/" in worst
    assert "| second | 8 of 8 |" in str(shown["results"])
    check = only_check(result)
    assert (check.passed, check.description) == (True, "no judge is configured")


def test_the_candidate_is_asked_before_the_live_release(own_platform: Platform) -> None:
    live = Registry(own_platform.database).live()
    assert live is not None
    folder = Path(own_platform.settings.sources["docs"].path)
    path = folder / f"{canary('welcome')}.md"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("The limit is 7 days", "The limit is 30 days"), encoding="utf-8")
    build_index(own_platform, "second")
    candidate = open_candidate(own_platform, "second").release
    keep(own_platform, resolved())
    assert materialize(own_platform).success
    (found,) = Evaluations(own_platform.database).all("answer")
    assert found.release_id == candidate.id
    assert found.baseline_release_id == live.id
    rows = read_answers(own_platform, found)
    row = rows.row(by_predicate=pl.col("question_id") == "public", named=True)
    assert "30 days" in row["answer"]
    assert (row["evidence"], row["citation_recall"]) == ("changed", None)


def test_no_questions_are_said_and_are_no_error(platform: Platform) -> None:
    keep(platform, resolved(gate=False), resolved(KNOWN_ITEMS, origin="known_item"))
    result = materialize(platform)
    assert result.success
    assert metadata(result)["outcome"] == NO_QUESTIONS
    assert only_check(result).passed
    assert Evaluations(platform.database).all("answer") == []


def test_without_a_release_it_says_what_to_do(tmp_path: Path) -> None:
    platform = Platform(Settings(home=str(tmp_path)))
    keep(platform, resolved())
    result = materialize(platform)
    assert not result.success
    (failure,) = result.get_step_failure_events()
    assert "Run 'ragline ingest'" in str(failure.event_specific_data)


def test_too_little_judged_is_a_warning_that_names_the_metric(
    own_platform: Platform, judge: JudgeServer
) -> None:
    metrics = ["ragas.faithfulness", "deepeval.hallucination"]
    settings = JudgeSettings(base_url=judge.url, model=MODEL, metrics=metrics, retries=0)
    judge.faults = lambda name, prompt: Fault(status=500) if name == "Verdicts" else None
    own = changed(own_platform, judge=settings)
    keep(own, resolved())
    result = materialize(own)
    assert result.success
    check = only_check(result)
    assert not check.passed
    assert check.description == "judged for less than 80%: golden: deepeval.hallucination 0 of 8"
    (found,) = Evaluations(own.database).all("answer")
    judgements = read_judgements(own, found)
    assert judgements.height == 16
    shown = metadata(result)
    assert shown["failed_judgements"] == 8
    assert shown["golden/ragas.faithfulness_coverage"] == 1.0
    assert shown["golden/deepeval.hallucination_coverage"] == 0.0
    assert "golden/deepeval.hallucination" not in shown
    assert str(shown["outcome"]).startswith(f"judged by {MODEL}@")


def test_a_crash_before_the_record_leaves_no_record(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation = Evaluation("answer", "golden", 1, {})
    write = platform.tables.write

    def failing(asset: str, *rest: object) -> int:
        if asset == "judgements":
            raise OSError("the disk is full")
        return write(asset, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(platform.tables, "write", failing)
    empty = [read(platform, evaluation) for read in (read_answers, read_judgements)]
    with pytest.raises(OSError, match="full"):
        store(platform, evaluation, *empty)
    recorded = [item.evaluation_id for item in Evaluations(platform.database).all()]
    assert evaluation.evaluation_id not in recorded


@pytest.mark.parametrize("origin", ["known_item", "synthetic"])
def test_what_nobody_wrote_is_not_asked(origin: str) -> None:
    frame = pl.concat([resolved(), resolved("made", origin=origin)])
    assert gating(frame)["dataset"].unique().to_list() == ["golden"]


def test_the_worst_answers_come_worst_first(platform: Platform, engine: QueryEngine) -> None:
    rows = evaluate_answers(platform, engine, golden(), without_groups(platform)).rows
    failed = rows.head(1).with_columns(
        pl.lit("Timeout: slow").alias("error"), pl.lit("failed | row").alias("question")
    )
    lines = worst_answers({"golden": pl.concat([rows, failed])}, most=3).splitlines()[2:]
    assert len(lines) == 3
    assert "| Timeout |" in lines[0]
    assert "slow" not in lines[0]  # a message may repeat what it failed on
    assert "failed \\| row" in lines[0]
    assert any("should have refused" in line for line in lines[1:])


@pytest.mark.parametrize("text", ["a | b", "[link](x)", "<script>", "two\nlines", "x" * 500])
def test_nothing_in_a_cell_is_markup(text: str) -> None:
    made = cell(text)
    assert "\n" not in made
    assert len(made) <= 2 * 160
    bare = [letter for letter in "|[]<>*`" if letter in made.replace(f"\\{letter}", "")]
    assert bare == []
