"""Questions, answers and hits on the wire."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

QUESTION = "How much may a room in London cost per night?"


class Question(BaseModel):
    """What is asked, and how."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"question": QUESTION}]}
    )

    question: str = Field(min_length=1, description="At most query.max_question_chars long.")
    limit: int | None = Field(
        default=None, ge=1, le=100, description="Passages to read; default query.limit."
    )
    filter: str = Field(
        default="",
        description='Only documents that satisfy it, e.g. `source = "wiki" and team = "hr"`.',
    )
    task: str = Field(default="", description="Prompt template; default query.task.")
    answerer: str = Field(
        default="", description="auto, extractive or llm; default query.answerer."
    )
    stream: bool = Field(default=False, description="Answer with server-sent events.")


class SearchQuery(BaseModel):
    """What is looked for."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"query": "hotel London", "limit": 5}]}
    )

    query: str = Field(min_length=1, description="A question or a few words.")
    limit: int | None = Field(
        default=None, ge=1, le=100, description="Most hits; default query.limit."
    )
    filter: str = Field(default="", description="Only documents that satisfy it.")
    documents: bool = Field(
        default=False, description="Documents with their best passage instead of passages."
    )


class _Read(BaseModel):
    """Made from the platform's own objects."""

    model_config = ConfigDict(from_attributes=True)


class ReleaseInfo(_Read):
    """The release that was read."""

    id: int
    created_at: datetime
    source_lag_seconds: float = Field(
        description="How far it may lie behind its sources: seconds since it was made."
    )


class CitationOut(_Read):
    """What a marker in an answer points to: `quote` is the document's text at the span."""

    marker: str = Field(description='E.g. "1" for [1] in the answer.')
    document_id: str
    chunk_id: str
    title: str
    uri: str
    quote: str
    char_start: int = Field(description="Of the quote, in the parsed text of the document.")
    char_end: int
    page: int | None = Field(description="On which the quote begins, from 1; null without pages.")
    score: float = Field(description="How well it supports what cites it, 0 to 1.")
    heading_path: list[str]
    content_sha256: str = Field(description="Of the document's version.")
    copies: list[str] = Field(description="Other documents with the same passage.")
    pages: list[int] = Field(description="Of the whole passage.")


class SentenceSupportOut(_Read):
    """How well one sentence of an answer is supported by what it cites."""

    sentence: str
    markers: list[str]
    score: float


class UsageOut(_Read):
    """Tokens of one answer, and what they cost; zero where no LLM was used."""

    prompt_tokens: int
    completion_tokens: int
    cost_usd: float


class AnswerOut(_Read):
    """An answer with its evidence."""

    answer_id: str = Field(description="For its lineage, and for feedback.")
    answer: str
    abstained: bool = Field(description="Nothing supports an answer; `closest` came nearest.")
    citations: list[CitationOut]
    release: ReleaseInfo
    usage: UsageOut
    timings_ms: dict[str, float]
    degraded: list[str] = Field(
        description="What was left out or replaced because it failed, e.g. llm_unavailable."
    )
    support: list[SentenceSupportOut]
    closest: list[CitationOut]
    confidence: float | None = Field(
        description="Calibrated probability that the documents answer the question, if learned."
    )
    answerer: str = Field(description="Who wrote it: extractive, or llm:<model>.")
    weak_evidence: bool = Field(
        description="There is an answer, but the documents may not answer the question: what came "
        "closest. Never together with `abstained`."
    )


class HitOut(_Read):
    """One passage of the released index."""

    chunk_id: str
    document_id: str
    source: str
    ordinal: int = Field(description="Position in its document, from 0.")
    title: str
    text: str
    heading_path: list[str]
    uri: str
    char_start: int
    char_end: int
    page_first: int | None
    page_last: int | None
    token_count: int
    modified_at: datetime | None
    content_sha256: str
    attributes: dict[str, Any]
    stale: bool = Field(description="A newer version of the document could not be read.")
    score: float
    dense_score: float | None
    full_text_score: float | None
    rerank_score: float | None
    page_breaks: list[int]


class SearchOut(BaseModel):
    """What was found, best first."""

    release: ReleaseInfo
    hits: list[HitOut]
    degraded: list[str]
    timings_ms: dict[str, float]
