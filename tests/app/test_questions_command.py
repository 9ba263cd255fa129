"""``ragline questions`` on a small deployment."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from evals.golden_questions.collect import refresh_golden_questions
from evals.golden_questions.questions import QuestionSetError, load_questions
from rag_app.commands.questions import questions_app
from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.fingerprint import sha256_text
from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from tests.conftest import Deploy
from tests.jobs.harness import run_stages
from tests.query.openai_server import OpenAIServer, Reply, json_reply

SETTINGS = """
[sources.docs]
path = "documents"
acl = ["public"]
"""
LEAVE = "Every employee may carry five days of leave over into the following year without asking."
LAPTOP = "Laptops are replaced after four years unless the battery has failed before that time."
WRITTEN = {
    "question": "How much holiday is kept at New Year?",
    "answer": "Five days.",
    "quote": "may carry five days",
}


@pytest.fixture
def folder(deploy: Deploy) -> Path:
    place = deploy(SETTINGS)
    (place / "documents" / "leave.md").write_text(LEAVE, "utf-8")
    (place / "documents" / "laptop.md").write_text(LAPTOP, "utf-8")
    run_stages(Platform.load())
    return place


def run(*arguments: str) -> Result:
    return CliRunner().invoke(questions_app, list(arguments), catch_exceptions=False)


def printed(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def asked(question: str) -> str:
    return QueryEngine(Platform.load()).ask(question, Caller()).answer_id


def add(*arguments: str) -> Result:
    return run("add", "--answer", asked("How many days?"), *arguments)


def test_list_shows_questions_and_what_is_wrong_with_them(folder: Path) -> None:
    lines = [
        {"question_id": name, "question": f"{name}?", "relevant": [{"document_id": f"docs/{name}.md"}],
         "answerable": True}
        for name in ("leave", "gone")
    ]  # fmt: skip
    path = folder / "golden_questions.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), "utf-8")

    collected = printed("list")  # the table was not made yet
    refresh_golden_questions(Platform.load(), "r1")
    assert printed("list") == collected
    origins = [item["origin"] for item in collected["questions"]]
    assert sorted(origins) == ["golden", "golden", "known_item", "known_item"]
    flagged = printed("list", "--flagged")
    assert [item["question_id"] for item in flagged["questions"]] == ["gone"]
    assert flagged["version"] == collected["version"]
    assert "4 questions, 1 flagged" in run("list").stdout


def test_a_question_that_was_asked_becomes_a_golden_one(folder: Path) -> None:
    answer = asked("How many days of leave may I carry over?")
    arguments = ("--relevant", "docs/leave.md", "--quote", "five days", "--comment", "was missed")
    line = printed("add", "--answer", answer, *arguments)["question"]
    (row,) = load_questions(folder / "golden_questions.jsonl").rows(named=True)
    assert row["question"] == "How many days of leave may I carry over?"
    assert row["relevant"][0]["quote"] == "five days"
    assert json.loads(row["provenance"]) == line["provenance"]
    assert line["provenance"]["answer_id"] == answer
    assert line["provenance"]["comment"] == "was missed"
    with pytest.raises(QuestionSetError, match="already"):
        run("add", "--answer", answer, *arguments)


def test_a_question_goes_where_the_gates_read_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def adding(*arguments: str) -> Any:
        answer = asked("How many days?")
        return printed("add", "--answer", answer, "--relevant", "docs/leave.md", *arguments)

    added = adding("--set", "other.jsonl")
    assert (added["set"], added["read"]) == (str(folder / "other.jsonl"), False)
    added = adding()
    assert (added["set"], added["read"]) == (str(folder / "golden_questions.jsonl"), True)

    monkeypatch.setenv("RAG_EVALUATION__SETS__OURS__PATH", "sets/ours.jsonl")
    (folder / "sets").mkdir()
    for arguments in ((), ("--set", "ours"), ("--set", "sets/ours.jsonl")):
        added = adding(*arguments)
        assert (added["set"], added["read"]) == (str(folder / "sets" / "ours.jsonl"), True)
    unread = add("--relevant", "docs/leave.md", "--set", "golden_questions.jsonl")
    assert "No gate reads that file" in unread.stderr
    listed = printed("list")["questions"]
    assert [item["dataset"] for item in listed if item["origin"] == "feedback"] == ["ours"] * 3

    monkeypatch.setenv("RAG_EVALUATION__SETS__THEIRS__PATH", "sets/theirs.jsonl")
    with pytest.raises(QuestionSetError, match="no single set to add to: ours, theirs"):
        add("--relevant", "docs/leave.md")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--relevant", "docs/none.md"), "There never was a document docs/none.md"),
        (("--relevant", "docs/leave.md", "--quote", "six days"), "does not say: six days"),
    ],
)
def test_what_the_documents_do_not_say_is_refused(
    folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    with pytest.raises(QuestionSetError, match=said):
        add(*arguments)
    assert not (folder / "golden_questions.jsonl").exists()


def test_wrong_arguments_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="no answer 'x'"):
        run("add", "--answer", "x", "--relevant", "docs/leave.md")
    twice = ("--relevant", "docs/leave.md", "--relevant", "docs/laptop.md")
    with pytest.raises(ConfigurationError, match="2 --relevant and 1 --quote"):
        add(*twice, "--quote", "five days")


def test_a_model_writes_questions_and_adds_others_the_next_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop = {**WRITTEN, "question": "When do I get a new computer?", "quote": "after four years"}
    written = {"docs/leave.md": WRITTEN, "docs/laptop.md": laptop}
    with OpenAIServer().running() as server:
        monkeypatch.setenv("RAG_LLM__BASE_URL", server.url)
        server.reset(*(json_reply(written[name]) for name in sorted(written, key=sha256_text)))
        found = []
        for _ in range(2):
            found.append(printed("synthetic", "--count", "1", "--output", "written.jsonl"))
        with pytest.raises(QuestionSetError, match="no document left"):
            run("synthetic", "--count", "1", "--output", "written.jsonl")
    assert [item["questions"] for item in found] == [1, 1]
    rows = load_questions(folder / "written.jsonl")
    assert set(rows["origin"]) == {"synthetic"}
    assert set(rows["question"]) == {WRITTEN["question"], laptop["question"]}


def test_a_model_that_writes_nothing_of_use_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenAIServer().running() as server:
        monkeypatch.setenv("RAG_LLM__BASE_URL", server.url)
        server.reset(default=Reply(tokens=("no",)))
        with pytest.raises(QuestionSetError, match="2: the reply is not the JSON asked for"):
            run("synthetic", "--count", "1", "--output", "written.jsonl")
    assert not (folder / "written.jsonl").exists()


def test_without_a_model_nothing_is_written(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"llm\.base_url"):
        run("synthetic", "--count", "1", "--output", "written.jsonl")
