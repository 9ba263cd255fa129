"""``ragline evaluate`` on a small deployment whose questions have known answers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import typer
from typer.testing import CliRunner, Result

from evals.answer_evaluation.results import read_answers
from evals.evaluations import Evaluations
from evals.golden_questions.questions import QuestionSetError, train_half
from evals.retrieval_evaluation.learning import answerability
from evals.retrieval_evaluation.record import NotRecorded
from evals.retrieval_evaluation.results import read_results
from evals.retrieval_evaluation.retrieve import LATENCY_SAMPLE
from rag_app.commands.evaluate import BELOW_THRESHOLD, evaluate
from rag_assets.platform.errors import ConfigurationError, RaglineError, RerankerError
from rag_assets.platform.platform import Platform
from rag_assets.releases.registry import Registry, releases
from tests.jobs.harness import run_stages

SETTINGS = """
[sources.docs]
kind = "jsonl"
path = "corpus.jsonl"
acl = ["public"]

[sources.board]
path = "board"
acl = ["board"]
"""
PLACES = ["kitchen", "library", "greenhouse", "workshop", "archive", "chapel", "stable", "mill"]
COLOURS = ["amber", "violet", "crimson", "olive", "scarlet", "ivory"]
# what people call them: the words of the documents alone do not find them
HUES = ["yellowish", "purple", "deep red", "green", "red", "off-white"]
KEEPERS = ["Orla", "Tomas", "Ingrid", "Pavel", "Salma", "Bruno", "Keiko", "Dario"]
ABSENT = ["lighthouse", "submarine", "volcano", "carousel"]
SECRET = "The merger with Oakfield closes on the third of May."


def corpus() -> list[dict[str, str]]:
    """One document for each colour and place; who keeps it is said in no other."""
    return [
        {
            "_id": f"{colour}-{place}",
            "title": f"The {colour} {place}",
            "text": f"{KEEPERS[(x + y) % 8]} keeps the key of the {colour} {place}.\n\n"
            f"It is swept on day {x * 8 + y + 1} of every quarter.",
        }
        for x, colour in enumerate(COLOURS)
        for y, place in enumerate(PLACES)
    ]


def in_other_words(document: str) -> str:
    colour, place = document.split("-")
    return f"{HUES[COLOURS.index(colour)]} {place}"


def golden_questions() -> list[dict[str, Any]]:
    answerable = [
        {
            "question_id": document["_id"],
            "question": f"Whom do I ask for access to the {in_other_words(document['_id'])}?",
            "relevant": [
                {"document_id": f"docs/{document['_id']}", "quote": document["text"].split("\n")[0]}
            ],
            "answerable": True,
            "tags": [document["_id"].split("-")[0]],
        }
        for document in corpus()
    ]
    unanswerable = [
        {
            "question_id": f"none-{colour}-{place}",
            "question": f"How deep is the water around the {colour} {place}?",
            "relevant": [],
            "answerable": False,
        }
        for colour in COLOURS
        for place in ABSENT
    ]
    return [*answerable, *unanswerable]


def merger(question_id: str, groups: list[str]) -> dict[str, Any]:
    return {
        "question_id": question_id,
        "question": "When does the merger with Oakfield close?",
        "relevant": [{"document_id": "board/merger.md", "quote": SECRET}],
        "answerable": True,
        "groups": groups,
        "tags": [question_id],
    }


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    """A deployment with one release."""
    folder = tmp_path_factory.mktemp("deployment")
    (folder / "ragline.toml").write_text(SETTINGS, encoding="utf-8")
    write_lines(folder / "corpus.jsonl", corpus())
    write_lines(folder / "golden_questions.jsonl", golden_questions())
    (folder / "board").mkdir()
    (folder / "board/merger.md").write_text(f"# Merger\n\n{SECRET}\n", encoding="utf-8")
    (folder / ".ragline").mkdir()
    model_cache.mkdir(parents=True, exist_ok=True)
    (folder / ".ragline/models").symlink_to(model_cache, target_is_directory=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        platform = Platform.load()
        run_stages(platform)
        platform.close()
    return folder


@pytest.fixture
def deployment(released: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The deployment as the working folder, with nothing learned yet."""
    monkeypatch.chdir(released)
    # the set is small; what it says is as clear as can be
    monkeypatch.setattr(answerability, "MIN_OF_A_KIND", 5)
    yield released
    Registry(Platform.load().database).set_parameters(1, {})


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(evaluate)
    return CliRunner().invoke(app, arguments)


def summary(*arguments: str) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output or result.exception
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def error(*arguments: str) -> RaglineError:
    found = run(*arguments).exception
    assert isinstance(found, RaglineError)
    return found


def test_the_set_beside_the_settings_is_evaluated(deployment: Path) -> None:
    found = summary()
    assert found["dataset"] == "golden_questions"
    assert (found["queries"], found["unjudged"]) == (48, 0)
    assert found["release"]["id"] == 1
    assert set(found["methods"]) == {"dense", "full_text", "equal", "rrf", "release"}
    assert found["metrics"] == found["methods"]["release"]
    assert 0.5 < found["metrics"]["ndcg@10"] < 1.0
    assert found["metrics"]["precision@10"] == pytest.approx(found["metrics"]["recall@10"] / 10)
    low, high = found["confidence"]["ndcg@10"]
    assert low < found["metrics"]["ndcg@10"] < high
    assert found["evidence"]["queries"] == 48
    assert found["evidence"]["recall@10"] == pytest.approx(found["metrics"]["recall@10"])
    assert found["tags"]["amber"]["queries"] == 8
    assert found["abstention"] is None
    assert found["citations"] is None
    assert 0 < found["latency_ms"]["p50"] <= found["latency_ms"]["p99"]
    assert found["latency_ms"]["questions"] <= LATENCY_SAMPLE


def test_learning_reports_the_other_half_and_is_stored_with_the_release(deployment: Path) -> None:
    found = summary("--learn")
    assert found["stored"]
    assert set(found["methods"]) == {"dense", "full_text", "equal", "rrf", "learned"}
    report = [row for row in corpus() if not train_half(row["_id"])]
    assert found["queries"] == len(report)
    assert found["parameters"]["learned_from"]["questions"] == 48 - len(report)
    release = Registry(Platform.load().database).get(1)
    assert release is not None
    assert release.parameters == found["parameters"]
    ndcg = {method: values["ndcg@10"] for method, values in found["methods"].items()}
    assert found["gain"]["mean"] == pytest.approx(
        ndcg["learned"] - max(ndcg["dense"], ndcg["full_text"])
    )
    again = summary()
    assert again["parameters"] == found["parameters"]
    assert again["abstention"]["answerable"] == 48


def test_abstention_is_learned_where_some_questions_have_no_answer_and_a_dry_run_stores_nothing(
    deployment: Path,
) -> None:
    learned = summary("--learn", "--dry-run")
    found = learned["abstention"]
    questions = golden_questions()
    report = [row for row in questions if not train_half(row["question_id"])]
    assert found["answerable"] == sum(row["answerable"] for row in report)
    assert found["unanswerable"] == sum(not row["answerable"] for row in report)
    assert found["auroc"] > 0.8
    assert not learned["stored"]
    release = Registry(Platform.load().database).get(1)
    assert release is not None
    assert not release.parameters


def test_a_question_is_asked_with_the_rights_of_its_groups(deployment: Path) -> None:
    path = write_lines(deployment / "rights.jsonl", [merger("in", ["board"]), merger("out", [])])
    found = summary("--dataset", str(path))
    assert found["tags"]["in"]["hit_rate@10"] == 1.0
    assert found["tags"]["out"]["hit_rate@10"] == 0.0
    assert found["groups"] == ["board"]
    assert found["unresolved"]["count"] == 0
    assert summary("--dataset", str(path), "--groups", "board")["metrics"]["hit_rate@10"] == 1.0


def test_evidence_that_is_not_in_the_release_is_named(deployment: Path) -> None:
    rows = golden_questions()[:3]
    rows[0]["relevant"][0]["document_id"] = "docs/demolished"
    rows[1]["relevant"][0]["quote"] = "Nobody keeps the key."
    found = summary("--dataset", str(write_lines(deployment / "old.jsonl", rows)))
    assert found["unresolved"]["count"] == 2
    assert "docs/demolished" in found["unresolved"]["questions"][rows[0]["question_id"]][0]
    assert found["evidence"]["queries"] == 1
    assert found["queries"] == 3


def test_a_beir_folder_is_evaluated_for_the_source_that_is_named(deployment: Path) -> None:
    folder = deployment / "beir"
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    rows = [row for row in golden_questions() if row["answerable"]]
    queries = [{"_id": row["question_id"], "text": row["question"]} for row in rows]
    write_lines(folder / "queries.jsonl", [*queries, {"_id": "new", "text": "Who is new?"}])
    lines = [f"{row['question_id']}\t{row['question_id']}\t1\n" for row in rows]
    (folder / "qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))
    found = summary("--dataset", str(folder), "--source", "docs")
    assert found["metrics"] == summary()["metrics"]
    assert found["unjudged"] == 1
    assert "evidence of none" in error("--dataset", str(folder), "--source", "board").message
    assert isinstance(error("--dataset", str(folder)), QuestionSetError)


def test_a_value_below_its_threshold_ends_with_its_own_code(deployment: Path) -> None:
    result = run("--min", "ndcg@10=0.1", "--min", "ndcg@10=1.01", "--json")
    assert result.exit_code == BELOW_THRESHOLD == 3
    assert [gate["passed"] for gate in json.loads(result.stdout)["gates"]] == [True, False]


def test_people_are_shown_a_table(deployment: Path) -> None:
    result = run("--min", "recall@10=0.1")
    assert result.exit_code == 0
    for words in (
        "dense",
        "full_text",
        "rrf",
        "evidence recall@10",
        "passed: recall@10",
    ):
        assert words in result.output


def test_what_cannot_be_evaluated_is_said(deployment: Path) -> None:
    few = write_lines(deployment / "few.jsonl", golden_questions()[:12])
    assert "at least 20 are needed" in error("--dataset", str(few), "--learn").message
    none = write_lines(deployment / "none.jsonl", golden_questions()[48:])
    assert "no question to report on" in error("--dataset", str(none)).message
    assert isinstance(error("--min", "ndcg@5=0.5"), ConfigurationError)
    (deployment / "golden_questions.jsonl").rename(deployment / "elsewhere.jsonl")
    try:
        assert "--dataset" in error().hint
    finally:
        (deployment / "elsewhere.jsonl").rename(deployment / "golden_questions.jsonl")


def test_a_reranker_is_tried_and_the_parameters_say_what_came_of_it(deployment: Path) -> None:
    found = summary("--learn", "--dry-run", "--try-reranker", "term_overlap")
    parameters = found["parameters"]
    tried = parameters["learned_from"]["reranking"]["tried"]
    best = max(tried, key=lambda trial: trial["gain"])
    helps = best["gain"] > best["standard_error"]
    assert parameters["reranker"] == ("term_overlap" if helps else "none")
    assert ("fused" in found["methods"]) == helps == (found["reranking_gain"] is not None)
    shown = run("--learn", "--dry-run", "--try-reranker", "term_overlap").output
    assert shown.count("tried term_overlap") == len(tried) == 3


def test_rerankers_that_cannot_be_tried_are_refused(
    deployment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "late_interaction" in error("--learn", "--try-reranker", "magic").hint
    assert "--learn" in error("--try-reranker", "term_overlap").hint
    assert isinstance(error("--learn", "--try-reranker", "cross_encoder"), RerankerError)
    settings = deployment / "decided.toml"
    settings.write_text(f'{SETTINGS}\n[query]\nreranker = "none"\n', encoding="utf-8")
    monkeypatch.setenv("RAG_CONFIG", str(settings))
    assert "query.reranker" in error("--learn", "--try-reranker", "term_overlap").hint


def test_a_configured_set_has_a_name_and_comes_first(
    deployment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_lines(deployment / "keys.jsonl", golden_questions()[:8])
    settings = deployment / "sets.toml"
    text = f'{SETTINGS}\n[evaluation.sets.doors]\npath = "keys.jsonl"\n'
    settings.write_text(text, encoding="utf-8")
    monkeypatch.setenv("RAG_CONFIG", str(settings))
    found = summary()
    assert (found["dataset"], found["queries"]) == ("doors", 8)
    named = summary("--dataset", "doors")
    assert named["metrics"] == found["metrics"]
    # a file is still a file
    assert summary("--dataset", "golden_questions.jsonl")["queries"] == 48


def test_answers_are_scored_and_everything_is_recorded_for_the_dashboard(deployment: Path) -> None:
    path = write_lines(deployment / "few.jsonl", golden_questions()[:6])
    found = summary("--dataset", str(path), "--answers", "--record")
    assert found["answers"]["queries"] == 6
    assert set(found["answers"]["metrics"]) >= {"support", "citation_recall"}
    assert found["judge"] == found["answers"]["judge"]
    platform = Platform.load()
    kept = {item.kind: item for item in Evaluations(platform.database).of_release(1)}
    assert [kept[kind].evaluation_id for kind in ("retrieval", "answer")] == found["recorded"]
    rows = read_results(platform, kept["retrieval"])
    assert rows["ndcg"].mean() == pytest.approx(found["metrics"]["ndcg@10"])
    assert set(rows["evidence"]) == {"current"}
    assert rows["baseline_ndcg"].null_count() == 6
    assert kept["retrieval"].summary["gain"] is None
    assert read_answers(platform, kept["answer"]).height == 6
    assert "answers: 6 questions" in run("--dataset", str(path), "--answers").output
    again = summary("--dataset", str(path))
    assert (again["answers"], again["judge"], again["recorded"]) == (None, None, [])


def test_a_candidate_is_not_recorded_by_hand(deployment: Path) -> None:
    database = Platform.load().database
    with database.begin() as connection:
        connection.execute(sa.update(releases).values(status="candidate"))
    try:
        assert isinstance(error("--record", "--release", "1"), NotRecorded)
    finally:
        with database.begin() as connection:
            connection.execute(sa.update(releases).values(status="live"))
