"""Columns of ``embeddings``: one vector per distinct embedded text and encoder."""

import polars as pl


def embeddings_schema(dimensions: int) -> pl.Schema:
    """The schema for an encoder whose vectors have ``dimensions`` numbers."""
    return pl.Schema(
        {
            "embed_sha256": pl.String(),
            "encoder": pl.String(),  # fingerprint of the encoder
            "vector": pl.Array(pl.Float32, dimensions),
            "unused_since": pl.Datetime("us", "UTC"),  # null while a chunk of the shard uses it
            "run_id": pl.String(),  # the run that encoded it
        }
    )
