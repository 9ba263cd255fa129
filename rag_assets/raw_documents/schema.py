"""Columns of ``raw_documents``: the manifest of the live documents of a source shard."""

import polars as pl

RAW_DOCUMENTS = pl.Schema(
    {
        "document_id": pl.String(),  # <source>/<path>, stable
        "source": pl.String(),
        "uri": pl.String(),
        "media_type": pl.String(),
        "size_bytes": pl.Int64(),
        "modified_at": pl.Datetime("us", "UTC"),
        "content_sha256": pl.String(),  # null when the document could not be read (see problem_kind)
        "title": pl.String(),  # from front matter or a sidecar; null when the parser is to find it
        "acl": pl.List(pl.String()),  # sorted; "public" means everyone
        "attributes": pl.String(),  # canonical JSON object
        "signature": pl.String(),  # cheap to compare: equal means certainly unchanged
        "problem_kind": pl.String(),  # null, or why the document could not be read
        "problem": pl.String(),
        "run_id": pl.String(),
    }
)
