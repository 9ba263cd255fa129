"""Passages and requests for tests of answerers."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from rag_assets.query.answer import Hit, Passage
from rag_assets.query.answerers.base import AnswerRequest

TEXTS = (
    "Employees receive thirty days of paid holiday a year. Requests go to the line manager.",
    "The server room is on the second floor. Only the operations team has keys to it.",
    "Invoices are paid within fourteen days. Disputed invoices go to the finance department.",
)


def make_passage(number: int, text: str, title: str = "Handbook") -> Passage:
    """One passage of one chunk."""
    hit = Hit(
        chunk_id=f"chunk-{number}",
        document_id=f"docs/{number}.md",
        source="docs",
        ordinal=0,
        title=title,
        text=text,
        heading_path=["Rules", f"Part {number}"],
        uri=f"file:///docs/{number}.md",
        char_start=0,
        char_end=len(text),
        page_first=None,
        page_last=None,
        token_count=len(text) // 4,
        modified_at=datetime(2026, 1, 2, tzinfo=UTC),
        content_sha256="0" * 64,
        attributes={},
        stale=False,
        score=1.0 / number,
        dense_score=0.5,
        full_text_score=1.0,
    )
    return Passage(number=number, hit=hit, parts=(hit,), tokens=len(text) // 4)


def make_request(
    question: str = "How many days of holiday are there?",
    texts: Sequence[str] = TEXTS,
    vector: np.ndarray | None = None,
    task: str = "question_answering",
) -> AnswerRequest:
    """A request with one passage a text."""
    passages = [make_passage(number, text) for number, text in enumerate(texts, start=1)]
    unit = np.zeros(8, dtype=np.float32)
    unit[0] = 1
    return AnswerRequest(question, unit if vector is None else vector, passages, task)
