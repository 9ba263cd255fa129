"""Documents and their states on the wire."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from .answers import ReleaseInfo

State = Literal["indexed", "empty", "quarantined", "pending", "deleted"]
STATE = (
    "indexed: its present version is in the live release; empty: it has no text; quarantined: it "
    "could not be read; pending: it is new or changed and not released yet; deleted: its source "
    "does not have it any more, and the next release drops it."
)


class DocumentOut(BaseModel):
    """What became of one document."""

    model_config = ConfigDict(extra="ignore")

    document_id: str
    source: str
    state: State = Field(description=STATE)
    title: str | None
    uri: str
    media_type: str
    size_bytes: int | None
    modified_at: datetime | None
    content_sha256: str | None = Field(description="Of its bytes; null until it was read.")
    acl: list[str] | None = Field(description="Groups that may read it; `public`: everyone.")
    reason: str = Field(description="Why it could not be read; empty otherwise.")
    stale: bool = Field(description="An older version serves: this one could not be read.")


class DocumentList(BaseModel):
    """A page of documents, in the order of their ids."""

    documents: list[DocumentOut]
    total: int = Field(description="How many there are on all pages together.")
    next: str = Field(description="Send it as `after` for the next page; empty at the end.")


class DocumentStatus(BaseModel):
    """How far a document has come."""

    document_id: str
    state: State = Field(description=STATE)
    reason: str
    searchable: bool = Field(description="Questions are answered from it, if an older version.")
    release_id: int | None = Field(description="The live release.")


class PassageOut(BaseModel):
    """One passage of a document; `text` is what stands at the span."""

    model_config = ConfigDict(from_attributes=True)

    chunk_id: str
    ordinal: int
    text: str
    heading_path: list[str]
    char_start: int
    char_end: int
    page_first: int | None
    page_last: int | None


class WholeDocument(BaseModel):
    """A document as the release has it: its text, where pages begin, its passages."""

    document_id: str
    source: str
    title: str
    uri: str
    content_sha256: str = Field(description="Of the version that the release has.")
    modified_at: datetime | None
    attributes: dict[str, Any]
    stale: bool
    release: ReleaseInfo
    text: str = Field(
        description="The parsed text; spans of citations and passages are offsets in it."
    )
    char_offset: int = Field(
        description="Where `text` begins in the document; 0 unless a part was asked for."
    )
    length: int = Field(description="Characters of the whole document.")
    page_starts: list[int] = Field(
        description="Offset in the document at which page 1, 2, … begins; empty without pages."
    )
    passages: list[PassageOut]


class Uploaded(BaseModel):
    """An upload that is stored, and how to follow it."""

    document_id: str
    state: Literal["pending"] = "pending"
    size_bytes: int
    status_url: str = Field(description="Ask here until the state is not `pending` any more.")


class Removed(BaseModel):
    """What became of a document that was to go."""

    document_id: str
    file_removed: bool = Field(description="Whether an uploaded file was removed.")
    forgotten: bool = Field(description="Whether every trace was erased; see `receipt`.")
    receipt: dict[str, Any] | None = Field(
        description="Of the erasure: what was searched and removed, place by place."
    )
