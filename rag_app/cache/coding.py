"""Answers as JSON and back: what is read from a shared cache must never be code."""

import json
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from rag_assets.query.answer import Answer, Citation, SentenceSupport, Usage


@dataclass(frozen=True)
class Kept:
    """What is kept of an answer.

    Attributes:
        parameters: of its entry in the query log; None where no log is written.
    """

    answer: Answer
    parameters: dict[str, Any] | None


def encode(kept: Kept) -> bytes:
    """The bytes of an answer."""
    values = {"answer": kept.answer.to_dict(), "parameters": kept.parameters}
    return json.dumps(values, ensure_ascii=False).encode()


def decode(content: bytes | None) -> Kept | None:
    """The answer of some bytes; None when they are none, e.g. of another version of Ragline."""
    if content is None:
        return None
    try:
        values = from_json(content)
        return Kept(_answer(values["answer"]), values["parameters"])
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
