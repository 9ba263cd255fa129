"""A candidate is measured beside the live release, with parameters that hold for it."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from evals.evaluations import Evaluations
from evals.retrieval_evaluation.candidate import evaluate_candidate
from evals.retrieval_evaluation.compare import compare
from evals.retrieval_evaluation.evaluate import evaluate
from evals.retrieval_evaluation.learning.parameters import MIN_TO_LEARN
from evals.retrieval_evaluation.results import read_results
from evals.retrieval_evaluation.schema import MEASURED, RETRIEVAL_RESULTS
from rag_assets.platform.errors import IndexUnavailable
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import ChunkingSettings, EvaluationSettings
from rag_assets.query.engine import QueryEngine
from rag_assets.query.parameters import QueryParameters
from rag_assets.query.pinned import pinned_engine, without_groups
from rag_assets.releases.candidate import open_candidate
from rag_assets.releases.registry import Registry
from tests.jobs.harness import build_index

from .evaluated import (
    COLOURS,
    copied,
    corpus,
    evaluate_next,
    golden,
    known_items,
    merger,
    promote,
    question,
    quote,
    released,
    settings_of,
    table,
    write_corpus,
)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    return released(tmp_path_factory.mktemp("untouched") / "deployment", model_cache)


@pytest.fixture(scope="module")
def evaluated(untouched: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The second release, of one more document, was evaluated and learned for."""
    folder = copied(untouched, tmp_path_factory.mktemp("evaluated") / "deployment")
    write_corpus(folder, {**corpus(), "notice": "The notice board hangs by the gate."})
    platform = Platform(settings_of(folder))
    evaluate_next(platform, table(*golden(), *known_items()))
    assert promote(platform) == 2
    return folder


@pytest.fixture
def first(untouched: Path, tmp_path: Path) -> Path:
    return copied(untouched, tmp_path / "deployment")


@pytest.fixture
def second(evaluated: Path, tmp_path: Path) -> Path:
    return copied(evaluated, tmp_path / "deployment")


def with_notice(texts: dict[str, str]) -> dict[str, str]:
    return {**texts, "notice": "The notice board hangs by the gate."}


def parameters_of(platform: Platform, release_id: int) -> dict[str, Any] | None:
    release = Registry(platform.database).get(release_id)
    assert release is not None
    return release.parameters


def test_parameters_are_learned_from_one_half_and_the_other_is_reported(second: Path) -> None:
    platform = Platform(settings_of(second))
    found = {item.dataset: item for item in Evaluations(platform.database).of_release(2)}
    summary = found["golden"].summary
    train = [row for row in golden() if row["half"] == "train"]
    learned_from = summary["learned_from"]
    assert (learned_from["by"], learned_from["datasets"]) == ("evaluation", ["golden"])
    assert learned_from["questions"] == len(train)
    assert parameters_of(platform, 2) == summary["parameters"]
    rows = read_results(platform, found["golden"])
    assert rows["half"].unique().to_list() == ["report"]
    assert summary["queries"] == rows.height == 48 - len(train)
    # nothing was learned from the known items: all are reported
    assert found["known_items"].summary["queries"] == 48
    assert found["golden"].baseline_release_id == 1


def test_what_is_measured_is_what_the_command_measures(second: Path) -> None:
    platform = Platform(settings_of(second))
    record = Evaluations(platform.database).of_release(2)[0]
    report = table(*golden()).filter(pl.col("half") == "report")
    engine = pinned_engine(platform, 2)
    measured = evaluate(
        engine,
        report,
        without_groups(platform),
        settings=platform.settings.query,
        dataset="golden",
    )
    for name, value in measured.summary["metrics"].items():
        assert record.summary["metrics"][name] == pytest.approx(value)
    for method, values in measured.summary["methods"].items():
        assert record.summary["methods"][method] == pytest.approx(values)
    assert record.summary["metrics"]["evidence_recall@10"] == pytest.approx(
        measured.summary["evidence"]["recall@10"]
    )
    rows = read_results(platform, record).select("question_id", "ranking")
    both = rows.join(measured.questions, on="question_id")
    assert both.height == rows.height
    assert both["ranking"].to_list() == both["ranking_right"].to_list()


def test_an_edit_elsewhere_changes_nothing_and_the_parameters_are_taken_over(second: Path) -> None:
    platform = Platform(settings_of(second))
    texts = with_notice(corpus())
    texts["notice"] = "The notice board has been moved to the porch."
    write_corpus(second, texts)
    evaluation, rows = evaluate_next(platform, table(*golden(), *known_items()))["golden"]
    assert parameters_of(platform, 3) == parameters_of(platform, 2)
    assert "taken over from release 2" in evaluation.summary["parameters_why"]
    assert rows.schema == RETRIEVAL_RESULTS
    for name in MEASURED.keys() - {"ranking"}:
        assert rows[name].to_list() == rows[f"baseline_{name}"].to_list()
    gain = evaluation.summary["gain"]
    assert (gain["mean"], gain["worse"], gain["better"]) == (0.0, 0, 0)
    assert evaluation.summary["baseline"]["origin"] == "asked"
    assert gain["questions"] == rows.height


def test_dropped_documents_are_losses_of_exactly_their_questions(second: Path) -> None:
    platform = Platform(settings_of(second))
    kept = {name: text for name, text in corpus().items() if name.split("-")[0] in COLOURS[:3]}
    write_corpus(second, with_notice(kept))
    evaluation, rows = evaluate_next(platform, table(*golden()))["golden"]
    dropped = rows.filter(~pl.col("question_id").is_in(list(kept)))
    assert set(dropped["evidence"]) == {"deleted"}
    assert set(rows.filter(pl.col("question_id").is_in(list(kept)))["evidence"]) == {"current"}
    assert dropped["ndcg"].to_list() == [0.0] * dropped.height
    comparison = compare(rows, "ndcg", 0.95)
    found_before = dropped.filter(pl.col("baseline_ndcg") > 0)
    assert set(comparison.worse["question_id"]) == set(found_before["question_id"])
    assert comparison.n == rows.height
    assert comparison.difference.high < 0
    # passages of documents that are gone are lost too
    passages = compare(rows, "evidence_recall", 0.95)
    assert passages.n == rows.height
    assert set(found_before["question_id"]) <= set(passages.worse["question_id"])
    assert evaluation.summary["unresolved"]["count"] == dropped.height


def test_a_changed_quote_keeps_its_document_but_no_passage(second: Path) -> None:
    platform = Platform(settings_of(second))
    name = next(row["question_id"] for row in golden() if row["half"] == "report")
    texts = with_notice(corpus())
    texts[name] = texts[name].replace(quote(name), f"Ask the warden about the {name}.")
    write_corpus(second, texts)
    found = evaluate_next(platform, table(*golden(), *known_items()))
    _, rows = found["golden"]
    row = rows.row(by_predicate=pl.col("question_id") == name, named=True)
    assert (row["evidence"], row["baseline_evidence"]) == ("changed", "current")
    assert row["evidence_recall"] is None
    assert compare(rows, "ndcg").n == rows.height
    assert compare(rows, "evidence_recall").n == rows.height - 1
    _, known = found["known_items"]
    assert known.height == 48
    assert compare(known, "ndcg").n == 47


def test_without_the_live_index_its_last_evaluation_stands_in(second: Path) -> None:
    platform = Platform(settings_of(second))
    texts = with_notice(corpus())
    del texts["ivory-mill"]
    write_corpus(second, texts)
    questions = table(*golden(), *known_items())
    asked = evaluate_next(platform, questions)
    candidate = open_candidate(platform, "run")

    def only_the_candidate(release_id: int) -> QueryEngine:
        if release_id != candidate.release.id:
            raise IndexUnavailable("The index is gone.", "Look for it.")
        return pinned_engine(platform, release_id)

    stored = evaluate_candidate(
        platform, candidate, questions, run_id="again", open_engine=only_the_candidate
    )
    for evaluation, rows in stored:
        baseline = evaluation.summary["baseline"]
        assert (baseline["origin"], baseline["release"]) == ("stored", 2)
        assert "The index is gone." in baseline["why"]
        _, with_engine = asked[evaluation.dataset]
        assert rows.equals(with_engine)


def test_a_question_that_was_reworded_has_no_stored_baseline(second: Path) -> None:
    platform = Platform(settings_of(second))
    write_corpus(second, corpus())
    rows = golden()
    changed = next(number for number, row in enumerate(rows) if row["half"] == "report")
    rows[changed] = {**rows[changed], "question_sha256": "another"}

    def only_the_candidate(release_id: int) -> QueryEngine:
        if release_id == 2:
            raise IndexUnavailable("The index is gone.", "Look for it.")
        return pinned_engine(platform, release_id)

    build_index(platform)
    [(_, found)] = evaluate_candidate(
        platform,
        open_candidate(platform, "run"),
        table(*rows),
        run_id="run",
        open_engine=only_the_candidate,
    )
    assert compare(found, "ndcg").n == found.height - 1


def test_the_live_release_is_evaluated_again_only_with_other_questions(second: Path) -> None:
    platform = Platform(settings_of(second))
    write_corpus(second, corpus())
    assert evaluate_next(platform, table(*golden()))
    live = promote(platform)
    before = parameters_of(platform, live)
    assert evaluate_next(platform, table(*golden())) == {}
    evaluation, rows = evaluate_next(platform, table(*golden()[1:]))["golden"]
    assert (evaluation.release_id, evaluation.baseline_release_id) == (live, None)
    assert rows["baseline_ndcg"].null_count() == rows.height
    assert evaluation.summary["gain"] is None
    # readers have these parameters: no evaluation changes them
    assert parameters_of(platform, live) == before
    assert evaluate_next(platform, table(*golden()[1:])) == {}


def test_no_questions_give_no_evaluation(second: Path) -> None:
    platform = Platform(settings_of(second))
    assert evaluate_next(platform, table()) == {}
    write_corpus(second, corpus())
    assert evaluate_next(platform, table()) == {}
    assert Registry(platform.database).candidate() is not None


def test_a_question_is_asked_with_the_rights_of_its_groups(first: Path) -> None:
    platform = Platform(settings_of(first))
    write_corpus(first, with_notice(corpus()))
    questions = table(merger("in", ["board"]), merger("out", []))
    evaluation, rows = evaluate_next(platform, questions)["rights"]
    hits = dict(rows.select("question_id", "hit_rate").rows())
    assert hits == {"in": 1.0, "out": 0.0}
    assert hits == dict(rows.select("question_id", "baseline_hit_rate").rows())
    assert evaluation.summary["by_group"]["board"]["hit_rate@10"] == 1.0
    assert "defaults" in evaluation.summary["parameters_why"]
    assert parameters_of(platform, 2) is None


def test_known_items_teach_nothing(first: Path) -> None:
    platform = Platform(settings_of(first))
    write_corpus(first, with_notice(corpus()))
    few = golden()[:10]
    found = evaluate_next(platform, table(*few, *known_items()))
    why = found["golden"][0].summary["parameters_why"]
    assert why.startswith("defaults: ")
    assert f"{MIN_TO_LEARN} are needed" in why
    assert found["known_items"][0].summary["queries"] == len(known_items())
    assert parameters_of(platform, 2) is None


def test_known_items_tell_of_the_index_and_not_of_a_weight(first: Path) -> None:
    platform = Platform(settings_of(first))
    registry = Registry(platform.database)
    write_corpus(first, with_notice(corpus()))
    build_index(platform)
    candidate = open_candidate(platform, "run").release.id
    found: list[dict[str, pl.DataFrame]] = []
    for weight in (0.0, 1.0):
        learned = {"by": "command", "dataset": "golden"}
        parameters = QueryParameters(fusion_weight=weight, learned_from=learned).to_dict()
        for release in (1, candidate):
            registry.set_parameters(release, parameters)
        results = evaluate_next(platform, table(*golden(), *known_items()))
        assert results["golden"][0].summary["parameters"]["fusion_weight"] == weight
        assert results["known_items"][0].summary["parameters"]["fusion_weight"] == 0.5
        found.append({name: rows for name, (_, rows) in results.items()})

    full_text, dense = found
    for column in ("ranking", "baseline_ranking"):
        known = [side["known_items"][column].to_list() for side in (full_text, dense)]
        golden_ones = [side["golden"][column].to_list() for side in (full_text, dense)]
        assert known[0] == known[1]
        assert golden_ones[0] != golden_ones[1]


def test_what_a_person_learned_holds_for_other_questions_but_not_for_another_splitter(
    first: Path,
) -> None:
    platform = Platform(settings_of(first))
    learned = QueryParameters(fusion_weight=0.2, learned_from={"by": "command", "dataset": "x"})
    Registry(platform.database).set_parameters(1, learned.to_dict())
    write_corpus(first, with_notice(corpus()))
    found = evaluate_next(platform, table(*golden()))["golden"][0].summary
    assert found["parameters"] == learned.to_dict()
    # a person may have learned from any golden set: one half of each is not reported
    assert found["split"] == {"report": found["queries"]}
    other = Platform(settings_of(first, chunking=ChunkingSettings(max_tokens=40)))
    found = evaluate_next(other, table(*golden()))["golden"][0].summary
    assert found["learned_from"]["by"] == "evaluation"


def test_edited_golden_questions_are_learned_from_anew(second: Path) -> None:
    platform = Platform(settings_of(second))
    write_corpus(second, corpus())
    extra = question("more", "Where does the notice hang?", ["docs/ivory-mill"], half="train")
    found = evaluate_next(platform, table(*golden(), extra))["golden"][0].summary
    assert found["learned_from"]["questions"] == 1 + sum(row["half"] == "train" for row in golden())
    before = parameters_of(platform, 2)
    assert before is not None
    assert before["learned_from"]["questions_version"] != found["learned_from"]["questions_version"]


@pytest.mark.parametrize("section", [{"learn": False}, {"max_questions": 20}])
def test_nothing_is_learned_where_it_is_off_or_there_is_too_little(
    first: Path, section: dict[str, Any]
) -> None:
    platform = Platform(settings_of(first, evaluation=EvaluationSettings(**section)))
    write_corpus(first, with_notice(corpus()))
    evaluation, rows = evaluate_next(platform, table(*golden()))["golden"]
    assert evaluation.summary["parameters"]["fusion_weight"] == 0.5
    assert evaluation.summary["parameters_why"].startswith("defaults")
    assert rows.height == min(48, section.get("max_questions", 48))
    assert parameters_of(platform, 2) is None


def test_unanswerable_questions_alone_have_no_ranking_and_no_nan(first: Path) -> None:
    platform = Platform(settings_of(first))
    write_corpus(first, with_notice(corpus()))
    none = [question(f"none-{n}", f"How deep is lake number {n}?", []) for n in range(3)]
    evaluation, rows = evaluate_next(platform, table(*none))["golden"]
    assert rows["ndcg"].null_count() == rows.height == 3
    assert evaluation.summary["metrics"]["ndcg@10"] is None
    assert evaluation.summary["abstained"] == {"answerable": None, "unanswerable": 0.0}
