"""Sections about documents: sources, parsing, chunking, encoding."""

from typing import Any, Literal

from pydantic import Field, SecretStr

from .base import Section


class SourceSettings(Section):
    """One source of documents."""

    kind: Literal["folder", "jsonl"] = "folder"
    path: str = Field(description="A folder, a .jsonl file, or an object-store URL of one.")
    include: list[str] = Field(default=["**/*"], description="Glob patterns of what is a document.")
    exclude: list[str] = Field(default=[], description="Glob patterns of what is not.")
    shards: int = Field(default=1, ge=1, le=4096, description="How many partitions the source has.")
    acl: list[str] = Field(
        default=[], description="Groups that may read; 'public' is everyone; [] is nobody by rule."
    )
    attributes: dict[str, Any] = Field(default={}, description="Attributes of every document.")
    personal_data: Literal["off", "mask", "hash"] = Field(
        default="off",
        description="Replace addresses and numbers of people before anything is kept of a text.",
    )


class ParsingSettings(Section):
    """How files become text."""

    workers: int = Field(default=0, ge=0, description="Worker processes; 0: one per CPU core.")
    timeout_seconds: float = Field(default=60.0, gt=0, description="Time limit for one file.")
    memory_mb: int = Field(default=4096, ge=256, description="Memory limit of one worker.")
    recycle_after: int = Field(
        default=2000, ge=1, description="Files a worker reads before it is replaced."
    )
    max_file_mb: float = Field(
        default=100.0, gt=0, description="Larger files are quarantined unread."
    )
    max_text_mb: float = Field(
        default=50.0, gt=0, description="Longer extracted texts are quarantined."
    )
    max_attempts: int = Field(
        default=3, ge=1, description="Attempts before a file is left in quarantine."
    )
    retry_seconds: float = Field(
        default=3600.0, ge=0, description="Wait before the first retry; doubles."
    )


class ChunkingSettings(Section):
    """How text becomes passages."""

    splitter: str = Field(
        default="structure", description="structure, recursive, fixed, sentence or semantic."
    )
    max_tokens: int = Field(
        default=200, ge=16, description="Most tokens of a passage with its context."
    )
    overlap_tokens: int = Field(
        default=0, ge=0, description="Tokens shared by neighbours (recursive, fixed)."
    )
    heading_context: bool = Field(
        default=True, description="Embed the title and headings with the text."
    )


class EncoderSettings(Section):
    """Which model makes the vectors."""

    backend: Literal["compiled", "sentence-transformers", "openai"] = "compiled"
    model: str = Field(default="all-MiniLM-L6-v2", description="Name or path of the model.")
    batch_size: int = Field(default=16, ge=1)
    device: str = Field(default="", description="sentence-transformers device; empty: choose.")
    base_url: str = Field(default="", description="openai: address of the embeddings endpoint.")
    api_key: SecretStr = Field(default=SecretStr(""), description="openai: key of the endpoint.")
    dimensions: int = Field(
        default=0, ge=0, description="openai: length of the vectors; 0: ask once."
    )
    max_input_tokens: int = Field(default=0, ge=0, description="openai: the model's limit; 0: 512.")
    keep_unused_days: float = Field(
        default=30.0, ge=0, description="Vectors no longer used are kept so long."
    )
