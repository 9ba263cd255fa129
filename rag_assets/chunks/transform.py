"""Parsed documents in, chunks out; the work is done only for documents that changed."""

import bisect
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from rag_assets.platform.fingerprint import fingerprint, frame_digest, sha256_text
from rag_assets.platform.settings import ChunkingSettings

from .base import Budget, Splitter
from .fingerprint import STAGE_VERSION, chunker_fingerprint
from .heading_context import context_lines, embedded_text
from .schema import CHUNKS

if TYPE_CHECKING:
    from rag_assets.encoders.tokenizer import TokenCounter

__all__ = [
    "STAGE_VERSION",
    "ChunkUpdate",
    "chunk_documents",
    "chunker_fingerprint",
    "chunks_digest",
]

BATCH = 256  # documents whose chunks are held as Python objects at a time
CHUNK_ID_DIGITS = 32

# what must be equal, besides the heading path, for a row to count as the same row as before
_SAME = ["chunk_id", "ordinal", "char_start", "char_end", "page_first", "page_last", "embed_sha256"]
_DIGESTED = [*_SAME, "text_sha256"]

Progress = Callable[[int], None]


@dataclass(frozen=True)
class ChunkUpdate:
    """The new table of chunks and what changed.

    Attributes:
        frame: ``CHUNKS``, sorted by document and ordinal.
        documents_chunked: documents that were cut in this run.
        documents_reused: documents whose rows were taken over.
        chunks: rows of ``frame``.
        added: chunk ids that are new.
        removed: chunk ids that are gone.
        kept: chunk ids that stayed.
        tokens: sum of ``token_count``.
        tokens_p95: 95th percentile of ``token_count``.
        over_limit: chunks that the encoder would not see as a whole; always 0.
    """

    frame: pl.DataFrame
    documents_chunked: int
    documents_reused: int
    chunks: int
    added: int
    removed: int
    kept: int
    tokens: int
    tokens_p95: int
    over_limit: int


def chunk_documents(
    previous: pl.DataFrame,
    parsed: pl.DataFrame,
    splitter: Splitter,
    counter: "TokenCounter",
    settings: ChunkingSettings,
    max_tokens: int,
    *,
    run_id: str,
    progress: Progress | None = None,
    full: bool = False,
) -> ChunkUpdate:
    """Cut the documents that changed and take over the chunks of all others.

    Args:
        previous: the chunks of the last run with the same fingerprint (``CHUNKS``), or none.
        parsed: the documents (``PARSED_DOCUMENTS``); those without text give no chunks.
        splitter: cuts a text, see ``base.py``.
        counter: the encoder's tokenizer.
        settings: the chunking settings.
        max_tokens: most tokens the encoder sees, special tokens included.
        run_id: recorded in rows that are new or changed.
        progress: called with 1 after each document that was cut.
        full: cut every document again.

    Returns:
        The table and its numbers. A row that is the same as before keeps its ``run_id``. A passage
        of nothing but characters that the encoder ignores gives no row.
    """
    limit = max_tokens - counter.special_tokens
    documents = parsed.filter(pl.col("text").str.strip_chars().str.len_bytes() > 0).select(
        "document_id", "title", "text", "text_sha256", "page_starts"
    )
    key = ["document_id", "text_sha256"]
    reused = previous.clear() if full else previous.join(documents, on=key, how="semi")
    changed = documents.join(reused, on=key, how="anti")
    fresh = [reused]
    for part in changed.iter_slices(BATCH):
        rows: dict[str, list[Any]] = {name: [] for name in CHUNKS}
        for document in part.iter_rows(named=True):
            budget = Budget(
                counter,
                max_tokens=min(settings.max_tokens, limit),
                overlap_tokens=settings.overlap_tokens,
                title=document["title"] or "",
                heading_context=settings.heading_context,
            )
            for row in _rows(document, splitter, budget, run_id):
                for name, value in row.items():
                    rows[name].append(value)
            if progress:
                progress(1)
        fresh.append(_with_old_run_ids(pl.DataFrame(rows, schema=CHUNKS), previous))
    frame = pl.concat(fresh).sort("document_id", "ordinal")
    return _update(frame, previous, changed.height, documents.height - changed.height, limit)


def chunks_digest(frame: pl.DataFrame) -> str:
    """The fingerprint of what later stages depend on in a table of chunks."""
    return frame_digest(frame, _DIGESTED, ["chunk_id"])


def _rows(
    document: dict[str, Any], splitter: Splitter, budget: Budget, run_id: str
) -> Iterator[dict[str, Any]]:
    """The rows of one document, in order."""
    text: str = document["text"]
    page_starts: Sequence[int] = document["page_starts"] or []
    spans = splitter.split(text, budget)
    passages = [text[span.start : span.end] for span in spans]
    contexts = [(span.heading_path, span.lead) for span in spans]
    occurrences: Counter[str] = Counter()
    ordinal = 0
    for span, passage, (embed, tokens) in zip(
        spans, passages, _embedded(passages, contexts, budget), strict=True
    ):
        if not tokens:
            continue
        identity = [document["document_id"], passage, occurrences[passage]]
        occurrences[passage] += 1
        yield {
            "chunk_id": fingerprint(identity)[:CHUNK_ID_DIGITS],
            "document_id": document["document_id"],
            "ordinal": ordinal,
            "text": passage,
            "heading_path": list(span.heading_path),
            "char_start": span.start,
            "char_end": span.end,
            "page_first": _page(page_starts, span.start),
            "page_last": _page(page_starts, span.end - 1),
            "token_count": tokens,
            "embed_text": embed,
            "embed_sha256": sha256_text(embed),
            "text_sha256": document["text_sha256"],
            "run_id": run_id,
        }
        ordinal += 1


def _embedded(
    passages: Sequence[str], contexts: Sequence[tuple[tuple[str, ...], str]], budget: Budget
) -> list[tuple[str, int]]:
    """What is embedded for each passage, and its tokens; counted together, which is faster."""
    wholes = list(passages)
    if budget.heading_context:
        wholes = [
            "\n".join([*context_lines(budget.title, path, passage, lead), passage])
            for passage, (path, lead) in zip(passages, contexts, strict=True)
        ]
    result = list(zip(wholes, budget.counter.counts(wholes), strict=True))
    for index, (_, tokens) in enumerate(result):
        if tokens > budget.max_tokens and budget.heading_context:
            path, lead = contexts[index]
            result[index] = embedded_text(
                passages[index], budget.title, path, lead, budget.counter, budget.max_tokens
            )
    return result


def _page(page_starts: Sequence[int], position: int) -> int | None:
    """The page of a character, from 1; none in a document without pages."""
    return max(1, bisect.bisect_right(page_starts, position)) if page_starts else None


def _with_old_run_ids(fresh: pl.DataFrame, previous: pl.DataFrame) -> pl.DataFrame:
    """Give rows that are the same as before the run that first made them."""
    path = pl.col("heading_path").list.join("\x1f").alias("_path")
    old = previous.select(*_SAME, path, pl.col("run_id").alias("_run_id"))
    return (
        fresh.with_columns(path)
        .join(old, on=[*_SAME, "_path"], how="left", nulls_equal=True, maintain_order="left")
        .with_columns(pl.coalesce("_run_id", "run_id").alias("run_id"))
        .select(list(CHUNKS))
    )


def _update(
    frame: pl.DataFrame, previous: pl.DataFrame, chunked: int, reused: int, limit: int
) -> ChunkUpdate:
    kept = frame.join(previous, on="chunk_id", how="semi").height
    tokens = frame["token_count"]
    return ChunkUpdate(
        frame=frame,
        documents_chunked=chunked,
        documents_reused=reused,
        chunks=frame.height,
        added=frame.height - kept,
        removed=previous.height - kept,
        kept=kept,
        tokens=int(tokens.sum()),
        tokens_p95=int(tokens.quantile(0.95, "nearest") or 0),
        over_limit=int((tokens > limit).sum()),
    )
