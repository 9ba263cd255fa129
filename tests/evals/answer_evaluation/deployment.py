"""Questions about the deployment of ``tests.query.restricted`` whose right answers are known."""

import hashlib
from typing import Any

import polars as pl

from evals.golden_questions.schema import GOLDEN_QUESTIONS, RESOLVED_QUESTIONS
from tests.query.restricted import canary

ARCHIVE = "Copies of the contract are kept for ten years in the archive of the company"


def document(name: str) -> str:
    return f"docs/{canary(name)}.md"


def quote(name: str) -> str:
    return f"The limit is {len(name)} days according to {canary(name)}."


def limit(name: str) -> str:
    return f"What is the limit according to {canary(name)}?"


def evidence(name: str, text: str | None) -> dict[str, Any]:
    return {"document_id": document(name), "quote": text, "page": None, "grade": 1}


def question(
    question_id: str, text: str, *relevant: dict[str, Any], **changes: Any
) -> dict[str, Any]:
    return {
        "question_id": question_id,
        "question": text,
        "relevant": list(relevant),
        "answer": None,
        "answerable": bool(relevant),
        "groups": [],
        "tags": [],
        "half": "report",
        "forbidden": [],
        "origin": "golden",
        "provenance": None,
        **changes,
    }


QUESTIONS = [
    question(
        "public",
        limit("welcome"),
        evidence("welcome", quote("welcome")),
        answer=quote("welcome"),
        tags=["limits", "open"],
    ),
    question(
        "restricted",
        limit("salaries"),
        evidence("salaries", quote("salaries")),
        answer=quote("salaries"),
        groups=["people"],
        tags=["limits"],
    ),
    # the same, asked by somebody who may not read the answer
    question(
        "curious",
        limit("salaries"),
        evidence("salaries", quote("salaries")),
        answer=quote("salaries"),
        groups=["visitors"],
        tags=["limits"],
    ),
    # either of two documents may be cited, and names the other as its copy
    question(
        "copy",
        "How long are copies of the contract kept in the archive?",
        evidence("copy-board", ARCHIVE),
        groups=["board"],
        answer="For ten years.",
    ),
    question("whole", limit("welcome"), evidence("welcome", None)),
    question(
        "changed",
        limit("welcome"),
        evidence("welcome", "The limit is 99 days."),
        answer="99 days",
    ),
    question("deleted", limit("welcome"), evidence("never-there", None), answer="99 days"),
    question("unanswerable", f"What is the limit of {canary('welcome')} on the moon?"),
    question("unjudged", "Who knows?", answerable=None),
]


def golden(rows: list[dict[str, Any]] | None = None) -> pl.DataFrame:
    """``GOLDEN_QUESTIONS``."""
    return pl.DataFrame(QUESTIONS if rows is None else rows, schema=GOLDEN_QUESTIONS)


def resolved(dataset: str = "golden", gate: bool = True, **changes: Any) -> pl.DataFrame:
    """The same as the asset keeps them."""
    rows = [
        {
            "dataset": dataset,
            "gate": gate,
            **row,
            "evidence": "current",
            "evidence_note": "",
            "question_sha256": hashlib.sha256(row["question_id"].encode()).hexdigest(),
            **changes,
        }
        for row in QUESTIONS
    ]
    return pl.DataFrame(rows, schema=RESOLVED_QUESTIONS)
