"""Reading question sets into one table, whatever their format.

Three formats are told apart by what lies at the path:

* a golden set, JSON Lines: ``question_id``, ``question``, ``relevant`` (``document_id``, ``quote``?,
  ``page``?, ``grade``?), ``answer``?, ``answerable``, ``groups``?, ``tags``?;
* a BEIR folder: ``queries.jsonl`` and ``qrels/<split>.tsv``; see ``beir``;
* cited answers, JSON Lines: ``question`` and ``truth`` with marks such as ``[file.pdf#page=7]``.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import polars as pl
from pydantic import BaseModel, ConfigDict, ValidationError

from rag_assets.platform.errors import RaglineError

from .schema import GOLDEN_QUESTIONS

CITED_PAGE = re.compile(r"\[([^\[\]#]+)#page=(\d+)\]")


class QuestionSetError(RaglineError):
    """A question set cannot be read; says where and why."""


class _Relevant(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    document_id: str
    quote: str | None = None
    page: int | None = None
    grade: int = 1


class _Golden(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    question_id: str
    question: str
    relevant: list[_Relevant] = []
    answer: str | None = None
    answerable: bool
    groups: list[str] = []
    tags: list[str] = []
    forbidden: list[str] = []
    origin: Literal["golden", "feedback", "synthetic", "known_item"] = "golden"
    provenance: dict[str, Any] | None = None


class _Cited(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    question: str
    truth: str


def train_half(question_id: str) -> bool:
    """Whether parameters are learned from this question; the other half is what is reported.

    By the parity of the id's SHA-256, so that a question stays in its half when others come and go.
    """
    return hashlib.sha256(question_id.encode()).digest()[-1] % 2 == 0


def load_questions(path: Path, source: str = "", split: str | None = None) -> pl.DataFrame:
    """Read a question set.

    Args:
        path: a ``.jsonl`` file, or a BEIR folder.
        source: name of the source whose documents a BEIR folder or cited answers speak of; golden
            sets name whole document_ids.
        split: which judgements of a BEIR folder to read; None: the only one, or ``test``.

    Returns:
        ``GOLDEN_QUESTIONS``, in the order of the file.

    Raises:
        QuestionSetError: there is nothing to read, or a line of it is not as it should be.
    """
    if path.is_dir():
        from .beir import read_beir

        rows = read_beir(path, _needed(source, path), split)
    elif path.is_file():
        rows = _read_lines(path, source)
    else:
        raise QuestionSetError(
            f"There is no question set at {path}.", "Name a .jsonl file or a BEIR folder."
        )
    if not rows:
        raise QuestionSetError(f"{path} holds no questions.", "Add some, one JSON object a line.")
    return to_frame(rows, path)


def to_frame(rows: list[dict[str, Any]], path: Path) -> pl.DataFrame:
    """Rows with the columns of ``GOLDEN_QUESTIONS`` but ``half``, as the table.

    Raises:
        QuestionSetError: two questions have the same id.
    """
    seen: set[str] = set()
    for row in rows:
        if row["question_id"] in seen:
            raise QuestionSetError(
                f"{path} has two questions with the id '{row['question_id']}'.", "Rename one."
            )
        seen.add(row["question_id"])
        row.setdefault("forbidden", [])
        row.setdefault("origin", "golden")
        row["half"] = "train" if train_half(row["question_id"]) else "report"
    return pl.DataFrame(rows, schema=GOLDEN_QUESTIONS, orient="row")


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON Lines file with their line numbers from 1; blank lines are skipped.

    Raises:
        QuestionSetError: a line is not a JSON object in UTF-8.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, _object(line, path, number)
    except (OSError, UnicodeDecodeError) as error:
        raise QuestionSetError(f"{path} cannot be read: {error}.", "Check the file.") from error


def _object(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise line_error(path, number, f"not JSON ({error.msg})") from error
    if not isinstance(value, dict):
        raise line_error(path, number, "not a JSON object")
    return value


def line_error(path: Path, number: int, problem: str) -> QuestionSetError:
    """The error of one line."""
    return QuestionSetError(f"{path}, line {number}: {problem}.", "Correct that line.")


def _needed(source: str, path: Path) -> str:
    if not source:
        raise QuestionSetError(
            f"{path} names documents without their source.",
            "Name the source they were ingested as with --source.",
        )
    return source


def _read_lines(path: Path, source: str) -> list[dict[str, Any]]:
    return [_read_line(value, path, number, source) for number, value in json_lines(path)]


def check_row(value: dict[str, Any], path: Path, number: int) -> None:
    """Make sure that a value can be a line of a golden set.

    Raises:
        QuestionSetError: it cannot; names the line and what is wrong with it.
    """
    _read_line({"question_id": None, **value}, path, number, "")


def _read_line(value: dict[str, Any], path: Path, number: int, source: str) -> dict[str, Any]:
    cited = "truth" in value and "question_id" not in value
    try:
        row = _cited_row(value, source, path) if cited else _golden_row(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise line_error(path, number, f"'{place}': {first['msg']}") from error
    problem = _problem(row)
    if problem:
        raise line_error(path, number, problem)
    return row


def _problem(row: dict[str, Any]) -> str:
    if not row["question"].strip():
        return "the question is empty"
    if row["answerable"] and not row["relevant"]:
        return "the question is answerable, but nothing is relevant"
    if not row["answerable"] and row["relevant"]:
        return "the question is not answerable, but something is relevant"
    if any(item["grade"] < 1 for item in row["relevant"]):
        return "a grade of something relevant is below 1"
    return ""


def _golden_row(value: dict[str, Any]) -> dict[str, Any]:
    row = _Golden.model_validate(value).model_dump()
    if row["provenance"] is not None:
        row["provenance"] = json.dumps(row["provenance"], sort_keys=True)
    return row


def _cited_row(value: dict[str, Any], source: str, path: Path) -> dict[str, Any]:
    """A question whose reference answer ends with the pages it is on."""
    cited = _Cited.model_validate(value)
    pages = list(dict.fromkeys(CITED_PAGE.findall(cited.truth)))
    return {
        "question_id": hashlib.sha256(cited.question.encode()).hexdigest()[:16],
        "question": cited.question,
        "relevant": [
            {
                "document_id": f"{_needed(source, path)}/{file}",
                "quote": None,
                "page": int(page),
                "grade": 1,
            }
            for file, page in pages
        ],
        "answer": CITED_PAGE.sub("", cited.truth).strip(),
        "answerable": bool(pages),
        "groups": [],
        "tags": [],
    }
