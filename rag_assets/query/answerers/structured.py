"""Answers as JSON by schema, and how they become text with markers."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from rag_assets.platform.wording import counted

from .base import AnswererUnavailable
from .no_answer import SENTENCE

MARKERS = re.compile(r"\s*\[\d+(?:\s*,\s*\d+)*\]")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CitedSentence(_Strict):
    """One sentence of an answer and the passages it rests on."""

    sentence: str
    passages: list[int]


class StructuredAnswer(_Strict):
    """What a model answers when it is asked for JSON."""

    answerable: bool
    sentences: list[CitedSentence]

    def to_text(self) -> str:
        """The answer as text with markers; the fixed sentence where there is no answer."""
        if not self.answerable:
            return SENTENCE
        parts = []
        for item in self.sentences:
            markers = "".join(f"[{number}]" for number in dict.fromkeys(item.passages))
            text = " ".join(MARKERS.sub("", item.sentence).split())
            if text:
                parts.append(f"{text} {markers}".strip())
        return " ".join(parts) or SENTENCE


def answer_schema() -> dict[str, Any]:
    """The JSON schema of ``StructuredAnswer``, without references, which some servers refuse."""
    schema = StructuredAnswer.model_json_schema()
    sentence = schema.pop("$defs")["CitedSentence"]
    schema["properties"]["sentences"]["items"] = sentence
    return schema


def parse_answer(text: str) -> StructuredAnswer:
    """Read a model's JSON; a Markdown fence around it is allowed.

    Raises:
        AnswererUnavailable: (kind ``invalid_response``) it does not follow the schema.
    """
    try:
        return StructuredAnswer.model_validate_json(unfenced(text))
    except ValidationError as error:
        raise AnswererUnavailable(
            f"The model's answer does not follow the JSON schema ({counted(error.error_count(), 'error')}).",
            "Raise llm.max_answer_tokens if it was cut, or set llm.structured to false.",
            kind="invalid_response",
        ) from error


def unfenced(text: str) -> str:
    """The JSON object in a text that may have a Markdown fence around it."""
    return text[text.find("{") : text.rfind("}") + 1] or text
