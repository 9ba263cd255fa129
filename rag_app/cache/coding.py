"""Answers and log entries as JSON and back: what is read from a shared cache must never be code."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json

from rag_assets.query.answer import Answer, Citation, SentenceSupport, Usage
from rag_assets.query.log import AnswerRecord


@dataclass(frozen=True)
class Kept:
    """What is kept of an answer.

    Attributes:
        record: its entry in the query log; None where no log is written.
    """

    answer: Answer
    record: AnswerRecord | None


def encode(kept: Kept) -> bytes:
    """The bytes of an answer."""
    record = asdict(kept.record) if kept.record else None
    if record:
        record["asked_at"] = record["asked_at"].isoformat()
    values = {"answer": kept.answer.to_dict(), "record": record}
    return json.dumps(values, ensure_ascii=False).encode()


def decode(content: bytes | None) -> Kept | None:
    """The answer of some bytes; None when they are none, e.g. of another version of Ragline."""
    if content is None:
        return None
    try:
        values = from_json(content)
        return Kept(_answer(values["answer"]), _record(values["record"]))
    except (ValueError, TypeError, KeyError):
        return None


def _answer(values: dict[str, Any]) -> Answer:
    return Answer(
        **{
            **values,
            "citations": [Citation(**item) for item in values["citations"]],
            "closest": [Citation(**item) for item in values["closest"]],
            "support": [SentenceSupport(**item) for item in values["support"]],
            "usage": Usage(**values["usage"]),
        }
    )


def _record(values: dict[str, Any] | None) -> AnswerRecord | None:
    if values is None:
        return None
    asked_at = datetime.fromisoformat(values["asked_at"]).astimezone(UTC)
    return AnswerRecord(**{**values, "asked_at": asked_at, "groups": tuple(values["groups"])})
