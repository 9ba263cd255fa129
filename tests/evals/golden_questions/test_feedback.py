"""Golden questions from corrected answers; a set is never half-written."""

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from evals.golden_questions.feedback import (
    Correction,
    DuplicateQuestion,
    Evidence,
    append_questions,
    question_from_answer,
)
from evals.golden_questions.questions import QuestionSetError, load_questions
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.query.log import AnswerRecord

from .conftest import question

AT = datetime(2026, 11, 2, 12, 30, tzinfo=UTC)


def record(**changes: Any) -> AnswerRecord:
    values: dict[str, Any] = {
        "answer_id": "a1", "asked_at": AT, "release_id": 7, "question": "May I carry leave over?",
        "groups": ("staff", "people"),
    }  # fmt: skip
    return AnswerRecord(**{**values, **changes})


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(Settings(home=str(tmp_path / "home")))


def ids(path: Path) -> list[str]:
    return load_questions(path)["question_id"].to_list()


def test_a_corrected_answer_is_a_question_with_its_history(
    platform: Platform, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "set.jsonl"
    relevant = [Evidence("docs/leave.md", "five days"), Evidence("docs/all.md")]
    correction = Correction(relevant, by="ada", at=AT, answer="Five days.", comment="missed")
    append_questions(platform, path, [question_from_answer(record(), correction)])
    (row,) = load_questions(path).rows(named=True)
    assert row["question"] == "May I carry leave over?"
    assert [(item["document_id"], item["quote"]) for item in row["relevant"]] == [
        ("docs/leave.md", "five days"), ("docs/all.md", None),
    ]  # fmt: skip
    assert (row["origin"], row["groups"]) == ("feedback", ["people", "staff"])
    assert (row["answer"], row["answerable"]) == ("Five days.", True)
    assert json.loads(row["provenance"]) == {
        "answer_id": "a1", "release": 7, "by": "ada", "at": AT.isoformat(), "comment": "missed",
    }  # fmt: skip


def test_a_correction_may_say_that_nothing_answers_and_who_asks() -> None:
    line = question_from_answer(record(), Correction([], groups=["board"]))
    assert (line["answerable"], line["relevant"], line["groups"]) == (False, [], ["board"])


def test_an_answer_whose_question_was_not_kept_is_refused() -> None:
    hashed = record(question=None, question_sha256="ab")
    with pytest.raises(QuestionSetError, match="keeps no text"):
        question_from_answer(hashed, Correction([]))


def test_what_was_there_stays_byte_for_byte(platform: Platform, tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    before = json.dumps(question("old")) + "\n\n  " + json.dumps(question("ünïcode"))
    path.write_text(before, "utf-8")
    path.chmod(0o640)
    append_questions(platform, path, [question("new"), question("newer")])
    assert path.read_text("utf-8").startswith(before + "\n")
    assert ids(path) == ["old", "ünïcode", "new", "newer"]
    assert path.stat().st_mode & 0o777 == 0o640
    assert [item.name for item in tmp_path.glob("set*")] == ["set.jsonl"]


@pytest.mark.parametrize("news", [["new", "old"], ["twin", "twin"]])
def test_an_id_is_never_there_twice(platform: Platform, tmp_path: Path, news: list[str]) -> None:
    path = tmp_path / "set.jsonl"
    append_questions(platform, path, [question("old")])
    with pytest.raises(DuplicateQuestion, match=news[-1]):
        append_questions(platform, path, [question(item) for item in news])
    assert ids(path) == ["old"]


@pytest.mark.parametrize(
    "bad",
    [
        question("q", question=" "),
        question("q", answerable=True),
        question("q", origin="guessed"),
        {"question": "no id"},
    ],
)
def test_what_would_spoil_the_set_is_not_written(
    platform: Platform, tmp_path: Path, bad: dict[str, Any]
) -> None:
    path = tmp_path / "set.jsonl"
    with pytest.raises(QuestionSetError):
        append_questions(platform, path, [question("good"), bad])
    assert not path.exists()


def test_a_set_that_is_broken_or_none_is_left_alone(platform: Platform, tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text("{", "utf-8")
    for place in (path, tmp_path, tmp_path / "set.json"):
        with pytest.raises(QuestionSetError):
            append_questions(platform, place, [question("q")])
    assert path.read_text("utf-8") == "{"


def test_a_link_stays_a_link(platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "real.jsonl").touch()
    link = tmp_path / "set.jsonl"
    link.symlink_to(tmp_path / "real.jsonl")
    append_questions(platform, link, [question("q")])
    assert link.is_symlink()
    assert ids(tmp_path / "real.jsonl") == ["q"]


def test_many_at_once_lose_nothing(platform: Platform, tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    names = [f"q{at}" for at in range(12)]
    threads = [
        threading.Thread(target=append_questions, args=(platform, path, [question(name)]))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ids(path)) == sorted(names)
