"""Golden questions from what people asked: an answer of the query log and somebody's correction."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rag_assets.platform.fingerprint import sha256_text
from rag_assets.platform.platform import Platform
from rag_assets.platform.storage import LocalStorage
from rag_assets.query.log import AnswerRecord

from .questions import QuestionSetError, check_row, json_lines

LOCK_SECONDS = 30.0


class DuplicateQuestion(QuestionSetError):
    """The set has a question of that id already; nothing was written."""


@dataclass(frozen=True)
class Evidence:
    """A document that answers the question, and the words of it that do, if somebody named them."""

    document_id: str
    quote: str | None = None


@dataclass(frozen=True)
class Correction:
    """What a person says about an answer.

    Attributes:
        relevant: what should have been found; empty: no document answers the question.
        by: who says so.
        answer: the right answer, if given.
        comment: in their own words.
        at: when.
        groups: whose rights the question is asked with; None: those it was asked with.
    """

    relevant: Sequence[Evidence]
    by: str = ""
    answer: str | None = None
    comment: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    groups: Sequence[str] | None = None


def question_from_answer(record: AnswerRecord, correction: Correction) -> dict[str, Any]:
    """The golden question, as a line of a JSONL set, that a logged answer and its correction give.

    Raises:
        QuestionSetError: the log does not have the question, because it keeps hashes only.
    """
    if record.question is None:
        raise QuestionSetError(
            f"The query log keeps no text of the answer {record.answer_id}.",
            "Set query.log to 'full' to make golden questions from answers to come.",
        )
    groups = record.groups if correction.groups is None else correction.groups
    return {
        "question_id": f"feedback-{record.answer_id}",
        "question": record.question,
        "relevant": [
            {"document_id": item.document_id}
            | ({} if item.quote is None else {"quote": item.quote})
            for item in correction.relevant
        ],
        "answer": correction.answer,
        "answerable": bool(correction.relevant),
        "groups": sorted(groups),
        "tags": ["feedback"],
        "origin": "feedback",
        "provenance": {
            "answer_id": record.answer_id,
            "release": record.release_id,
            "by": correction.by,
            "at": correction.at.astimezone(UTC).isoformat(),
            "comment": correction.comment,
        },
    }


def append_questions(platform: Platform, path: Path, questions: Sequence[dict[str, Any]]) -> None:
    """Add questions to the end of a JSONL set; all of them or none.

    Args:
        platform: its locks keep two writers apart.
        path: the set; made when it does not exist.
        questions: lines of a golden set.

    Raises:
        DuplicateQuestion: the set, or ``questions`` itself, has an id twice.
        QuestionSetError: the set is no JSONL file, or a question is not as it should be.
        StorageError, StorageFull: it cannot be written.
    """
    path = path.expanduser().resolve()  # a link stays a link
    if path.suffix != ".jsonl" or path.is_dir():
        raise QuestionSetError(f"{path} is no .jsonl file.", "Name a golden set in JSON Lines.")
    for number, question in enumerate(questions, start=1):
        check_row(question, path, number)
    name = f"question-set-{sha256_text(str(path))[:16]}"
    with platform.lock(name, doing=f"adding to {path.name}", timeout=LOCK_SECONDS):
        known = (
            {value.get("question_id") for _, value in json_lines(path)} if path.exists() else set()
        )
        for question in questions:
            if question["question_id"] in known:
                raise DuplicateQuestion(
                    f"{path} has a question '{question['question_id']}' already.",
                    "Change that line of the file instead.",
                )
            known.add(question["question_id"])
        if questions:
            _replace(path, questions)


def _replace(path: Path, questions: Sequence[dict[str, Any]]) -> None:
    """Write the file with more lines aside and put it in its place."""
    before = path.read_bytes() if path.exists() else b""
    if before and not before.endswith(b"\n"):
        before += b"\n"
    lines = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in questions)
    with LocalStorage(path.parent).writing(path.name, durable=True) as temporary:
        with open(temporary, "wb") as file:
            file.write(before + lines.encode())
        if path.exists():
            shutil.copymode(path, temporary)
