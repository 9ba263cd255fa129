"""The shapes of what leaves the engine: hits, citations, answers."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Hit:
    """One passage found.

    Attributes:
        score: fused, in [0, 1] within one result list.
        dense_score: cosine similarity, or None where only the full text matched.
        full_text_score: BM25, or None.
        char_start, char_end: span in the parsed document.
    """

    chunk_id: str
    document_id: str
    source: str
    title: str
    text: str
    heading_path: list[str]
    uri: str
    char_start: int
    char_end: int
    page_first: int | None
    page_last: int | None
    modified_at: datetime | None
    content_sha256: str
    stale: bool
    score: float
    dense_score: float | None
    full_text_score: float | None

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        values = asdict(self)
        values["modified_at"] = self.modified_at.isoformat() if self.modified_at else None
        return values


@dataclass(frozen=True)
class Citation:
    """What a marker in an answer points to: ``quote`` is the document's text at the span."""

    marker: str
    document_id: str
    chunk_id: str
    title: str
    uri: str
    quote: str
    char_start: int
    char_end: int
    page: int | None
    score: float


@dataclass(frozen=True)
class Answer:
    """An answer with its evidence; ``to_dict`` is the wire form."""

    answer_id: str
    answer: str
    abstained: bool
    citations: list[Citation]
    release: dict[str, Any]
    usage: dict[str, Any] = field(
        default_factory=lambda: {"prompt_tokens": 0, "completion_tokens": 0, "cost_usd": 0.0}
    )
    timings_ms: dict[str, float] = field(default_factory=dict)
    degraded: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return asdict(self)
