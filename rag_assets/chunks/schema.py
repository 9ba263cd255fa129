"""Columns of ``chunks``: passages with exact spans of the parsed text."""

import polars as pl

CHUNKS = pl.Schema(
    {
        "chunk_id": pl.String(),  # hash of document id, text and occurrence
        "document_id": pl.String(),
        "ordinal": pl.Int64(),  # position in the document, from 0
        "text": pl.String(),  # == parsed[char_start:char_end], always
        "heading_path": pl.List(pl.String()),  # outermost first
        "char_start": pl.Int64(),
        "char_end": pl.Int64(),
        "page_first": pl.Int64(),  # from 1; null when the document has no pages
        "page_last": pl.Int64(),
        "token_count": pl.Int64(),  # of embed_text, in the encoder's own tokens
        "embed_text": pl.String(),  # heading context + text
        "embed_sha256": pl.String(),
        "text_sha256": pl.String(),  # of the parsed document it was cut from
        "run_id": pl.String(),
    }
)
