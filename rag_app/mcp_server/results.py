"""What the tools give: what an agent needs to go on, and to cite."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from rag_assets.query.answer import Answer, Citation, Hit


class Release(BaseModel):
    """The release that was read."""

    id: int
    created_at: datetime
    source_lag_seconds: float = Field(description="How far it may lie behind its sources.")


class FoundPassage(BaseModel):
    """A passage: what it says, and where it stands."""

    document_id: str = Field(description="For get_document.")
    title: str
    heading_path: list[str]
    page: int | None
    text: str
    score: float
    char_start: int
    char_end: int
    uri: str

    @classmethod
    def of(cls, hit: Hit) -> "FoundPassage":
        """From a hit of the engine."""
        names = ("document_id", "title", "heading_path", "text", "score", "char_start", "char_end")
        values = {name: getattr(hit, name) for name in (*names, "uri")}
        return cls(page=hit.page_first, **values)


class SearchResult(BaseModel):
    """Passages, best first."""

    passages: list[FoundPassage]
    release: Release


class Source(BaseModel):
    """What a marker in an answer points to."""

    marker: str = Field(description='E.g. "1" for [1] in the answer.')
    document_id: str
    title: str
    page: int | None
    quote: str = Field(description="The document's own words.")
    char_start: int
    char_end: int
    uri: str

    @classmethod
    def of(cls, citation: Citation) -> "Source":
        """From a citation of the engine."""
        return cls(**{name: getattr(citation, name) for name in cls.model_fields})


class AskResult(BaseModel):
    """An answer with its sources, or that there is none."""

    answer: str
    abstained: bool = Field(
        description="Nothing in the documents supports an answer; do not make one up."
    )
    weak_evidence: bool = Field(
        description="The documents may not answer this; the answer is what came closest: say so."
    )
    sources: list[Source] = Field(description="What the markers in the answer point to.")
    closest: list[Source] = Field(description="When it abstained: what came nearest.")
    release: Release
    answer_id: str = Field(description="For the lineage of the answer.")
    degraded: list[str]

    @classmethod
    def of(cls, answer: Answer) -> "AskResult":
        """From an answer of the engine."""
        return cls(
            answer=answer.answer,
            abstained=answer.abstained,
            weak_evidence=answer.weak_evidence,
            sources=[Source.of(item) for item in answer.citations],
            closest=[Source.of(item) for item in answer.closest],
            release=Release(**answer.release),
            answer_id=answer.answer_id,
            degraded=answer.degraded,
        )


class DocumentResult(BaseModel):
    """The text of a document, or a part of it."""

    document_id: str
    title: str
    uri: str
    text: str
    char_offset: int = Field(description="Where the text begins in the document.")
    length: int = Field(description="Characters of the whole document: is there more?")
    page_starts: list[int]
    release: Release


class ReleaseRow(BaseModel):
    """One release of the index."""

    id: int
    status: str = Field(description="candidate, live, retired or rejected")
    readable: bool = Field(description="Whether it can still be asked.")
    created_at: datetime
    promoted_at: datetime | None
    documents: int
    chunks: int

    @classmethod
    def of(cls, view: dict[str, Any]) -> "ReleaseRow":
        """From ``release_view``."""
        return cls(**{name: view[name] for name in cls.model_fields})


class ReleasesResult(BaseModel):
    """Releases, newest first."""

    live: int | None
    releases: list[ReleaseRow]
    next: int | None = Field(description="`before` for older ones; null when there are none.")
