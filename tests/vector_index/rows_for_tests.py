"""Small tables of a made-up shard, for tests of the index."""

from datetime import UTC, datetime

import numpy as np
import polars as pl

from rag_assets.chunks.schema import CHUNKS
from rag_assets.parsed_documents.schema import PARSED_DOCUMENTS
from rag_assets.raw_documents.schema import RAW_DOCUMENTS
from rag_assets.vector_index.rows import index_rows

DIMENSIONS = 8
MOMENT = datetime(2026, 1, 2, tzinfo=UTC)


def raw(documents: dict[str, list[str]]) -> pl.DataFrame:
    """A manifest from document ids to ACLs."""
    rows = [
        {
            "document_id": name,
            "source": "docs",
            "uri": f"file:///{name}",
            "media_type": "text/markdown",
            "size_bytes": 1,
            "modified_at": MOMENT,
            "content_sha256": "c" * 64,
            "title": None,
            "acl": acl,
            "attributes": "{}",
            "signature": "s",
            "problem_kind": None,
            "problem": None,
            "run_id": "r",
        }
        for name, acl in documents.items()
    ]
    return pl.DataFrame(rows, schema=RAW_DOCUMENTS)


def parsed(documents: dict[str, str | None], **changes: object) -> pl.DataFrame:
    """Parsed documents from ids to texts; ``None`` is a quarantined document."""
    rows = [
        {
            "document_id": name,
            "content_sha256": "c" * 64,
            "status": "parsed" if text else "quarantined",
            "title": name,
            "parser_title": None,
            "text": text,
            "text_sha256": "t" * 64,
            "served_sha256": "c" * 64 if text else None,
            "page_starts": [],
            "parser": "test",
            "parser_fingerprint": "p",
            "error_kind": None if text else "malformed",
            "error": None,
            "attempts": 1,
            "attempted_at": MOMENT,
            "stale": False,
            "run_id": "r",
            **changes,
        }
        for name, text in documents.items()
    ]
    return pl.DataFrame(rows, schema=PARSED_DOCUMENTS)


def chunks(texts: dict[str, list[str]]) -> pl.DataFrame:
    """Chunks from document ids to passages."""
    rows = [
        {
            "chunk_id": f"{name}#{text}",
            "document_id": name,
            "ordinal": number,
            "text": text,
            "heading_path": ["Top"],
            "char_start": number * 100,
            "char_end": number * 100 + len(text),
            "page_first": None,
            "page_last": None,
            "token_count": 3,
            "embed_text": f"{name} {text}",
            "embed_sha256": f"e-{name}-{text}",
            "text_sha256": "t" * 64,
            "run_id": "r",
        }
        for name, passages in texts.items()
        for number, text in enumerate(passages)
    ]
    return pl.DataFrame(rows, schema=CHUNKS)


def embeddings(texts: dict[str, list[str]], run_id: str = "r") -> pl.DataFrame:
    """Which run encoded each passage."""
    hashes = chunks(texts)["embed_sha256"].unique().sort()
    return pl.DataFrame({"embed_sha256": hashes, "run_id": [run_id] * len(hashes)})


def rows(texts: dict[str, list[str]], partition: str = "docs", run_id: str = "run") -> pl.DataFrame:
    """Index rows of public documents with these passages."""
    return index_rows(
        raw({name: ["public"] for name in texts}),
        parsed(dict.fromkeys(texts, "text")),
        chunks(texts),
        embeddings(texts),
        partition,
        run_id,
    )


def with_vectors(frame: pl.DataFrame) -> pl.DataFrame:
    """Give every row a unit vector that depends on its embedded text only."""
    vectors = np.stack([vector_of(item) for item in frame["embed_sha256"]]) if frame.height else []
    return frame.with_columns(pl.Series("vector", vectors, dtype=pl.Array(pl.Float32, DIMENSIONS)))


def vector_of(text: str) -> np.ndarray:
    """A unit vector made from a text."""
    seed = int.from_bytes(text.encode()[-8:].rjust(8, b"\0"), "big")
    vector = np.random.default_rng(seed).normal(size=DIMENSIONS)
    return (vector / np.linalg.norm(vector)).astype(np.float32)
