"""Reading a BEIR folder: ``queries.jsonl`` and ``qrels/<split>.tsv``.

Document ids become ``<source>/<corpus-id>``; question ids stay. What a query is:

* it has a relevant document in the split: answerable;
* it says ``metadata.is_impossible: true``: unanswerable, whatever the split;
* it has judgements in another split only: of that split, and left out of this one;
* else nobody has judged it: ``answerable`` is null, and no metric counts it.

A query without judgements is never taken for unanswerable on its own: in most BEIR sets it is one
that was not judged, and to abstain from it would be counted as right.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rag_assets.platform.wording import counted

from .questions import QuestionSetError, json_lines, line_error

HEADER = ["query-id", "corpus-id", "score"]

Judgements = dict[str, dict[str, int]]


def read_beir(folder: Path, source: str, split: str | None) -> list[dict[str, Any]]:
    """The questions of one split as rows of ``GOLDEN_QUESTIONS`` without ``half``.

    Raises:
        QuestionSetError: the folder is not complete, or a line of it is not as it should be.
    """
    files = {path.stem: path for path in sorted((folder / "qrels").glob("*.tsv"))}
    chosen = _choose(files, split, folder)
    judged = read_judgements(files[chosen])
    elsewhere = {
        query for name, path in files.items() if name != chosen for query in read_judgements(path)
    }
    path = folder / "queries.jsonl"
    rows = []
    for number, query in json_lines(path):
        row = _row(query, judged, source, path, number)
        of_this_split = row["answerable"] is not None or row["question_id"] in judged
        if of_this_split or row["question_id"] not in elsewhere:
            rows.append(row)
    missing = judged.keys() - {row["question_id"] for row in rows}
    if missing:
        raise QuestionSetError(
            f"{files[chosen]} judges {counted(len(missing), 'query', 'queries')} that queries.jsonl "
            "does not have, "
            f"e.g. '{min(missing)}'.",
            "Add what is missing, or remove its judgements.",
        )
    return rows


def read_judgements(path: Path) -> Judgements:
    """The judgements of one file: query → document → grade.

    Raises:
        QuestionSetError: a line does not have three columns with a whole number at the end.
    """
    found: Judgements = {}
    for number, line in _lines(path):
        if number == 1 and line == HEADER:
            continue
        if len(line) != len(HEADER):
            raise line_error(path, number, f"has {len(line)} columns instead of {len(HEADER)}")
        query, document, grade = line
        try:
            found.setdefault(query, {})[document] = int(grade)
        except ValueError as error:
            raise line_error(path, number, f"the grade '{grade}' is not a whole number") from error
    return found


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        for number, line in enumerate(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE), 1):
            if line:
                yield number, line


def _choose(files: dict[str, Path], split: str | None, folder: Path) -> str:
    if split is None and len(files) == 1:
        return next(iter(files))
    name = split or "test"
    if name not in files:
        present = ", ".join(files) or "none"
        raise QuestionSetError(
            f"{folder} has no judgements for the split '{name}'; it has: {present}.",
            "Name one of them with --split." if files else "Add qrels/<split>.tsv.",
        )
    return name


def _row(
    query: dict[str, Any], judged: Judgements, source: str, path: Path, number: int
) -> dict[str, Any]:
    key, text, metadata = query.get("_id"), query.get("text"), query.get("metadata") or {}
    if not isinstance(key, str) or not isinstance(text, str) or not text.strip():
        raise line_error(path, number, "'_id' and 'text' must be texts that are not empty")
    relevant = [
        {"document_id": f"{source}/{document}", "quote": None, "page": None, "grade": grade}
        for document, grade in judged.get(key, {}).items()
        if grade > 0
    ]
    impossible = metadata.get("is_impossible") is True
    if impossible and relevant:
        raise line_error(path, number, f"query '{key}' is impossible and has relevant documents")
    answers = metadata.get("answers")
    return {
        "question_id": key,
        "question": text,
        "relevant": relevant,
        "answer": str(answers[0]) if isinstance(answers, list) and answers else None,
        "answerable": True if relevant else False if impossible else None,
        "groups": [],
        "tags": [],
    }
