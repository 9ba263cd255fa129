"""From chunks to vectors: encode only texts that no stored vector fits."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from rag_assets.encoders import Encoder
from rag_assets.platform.fingerprint import fingerprint, frame_digest

from .schema import embeddings_schema

STAGE_VERSION = 2


@dataclass(frozen=True)
class EmbedUpdate:
    """The new embeddings table of a shard, and what it took.

    Attributes:
        frame: schema ``embeddings_schema``, sorted by embed_sha256: every vector the shard's
            chunks use, then those kept for texts that may come back.
        embedded: texts that were encoded.
        cache_hits: distinct texts whose vector was there already.
        borrowed: those of the hits that came from another shard.
        unused: vectors kept although no chunk of the shard uses them now.
        dropped: vectors unused for too long, removed.
        tokens: tokens that were encoded.
    """

    frame: pl.DataFrame
    embedded: int
    cache_hits: int
    borrowed: int
    unused: int
    dropped: int
    tokens: int


def embed_chunks(
    previous: pl.DataFrame,
    chunks: pl.DataFrame,
    encoder: Encoder,
    *,
    elsewhere: Callable[[list[str]], pl.DataFrame],
    keep_unused: timedelta,
    now: datetime,
    run_id: str,
    progress: Callable[[int], None] | None = None,
) -> EmbedUpdate:
    """Bring a shard's vectors in step with its chunks.

    Args:
        previous: the shard's stored embeddings (any encoder).
        chunks: the shard's chunks (columns embed_sha256, embed_text, token_count).
        encoder: computes what is missing.
        elsewhere: given missing embed_sha256 values, the rows other shards hold of this encoder;
            a document that moved between shards then costs nothing.
        keep_unused: how long vectors stay that no chunk uses.
        now: the time of this run, UTC.
        run_id: of this run, kept with what it encodes.
        progress: called with the number of texts encoded since the last call.

    Returns:
        The new table and the counts.
    """
    schema = embeddings_schema(encoder.dimensions)
    wanted = chunks.unique("embed_sha256", keep="first").select(
        "embed_sha256", "embed_text", "token_count"
    )
    own = previous.filter(pl.col("encoder") == encoder.fingerprint).cast(schema)
    missing = wanted.join(own, on="embed_sha256", how="anti")
    found = elsewhere(missing["embed_sha256"].to_list()) if missing.height else schema.to_frame()
    borrowed = (
        found.select(list(schema))
        .cast(schema)
        .unique("embed_sha256", keep="first")
        .join(missing, on="embed_sha256", how="semi")
    )
    missing = missing.join(borrowed, on="embed_sha256", how="anti").sort("embed_sha256")
    computed = _encode(missing, encoder, schema, run_id, progress)

    in_use = wanted["embed_sha256"].implode()
    known = pl.concat([own, borrowed, computed]).with_columns(
        unused_since=pl.when(pl.col("embed_sha256").is_in(in_use))
        .then(None)
        .otherwise(pl.coalesce("unused_since", pl.lit(now, dtype=pl.Datetime("us", "UTC"))))
    )
    # vectors of another encoder stay for a while too: a configuration may be taken back
    others = previous.filter(pl.col("encoder") != encoder.fingerprint)
    if others.height and others.schema["vector"] == schema["vector"]:
        stamped = pl.coalesce("unused_since", pl.lit(now, dtype=pl.Datetime("us", "UTC")))
        known = pl.concat([known, others.with_columns(unused_since=stamped).cast(schema)])
    fresh = known.filter(
        pl.col("unused_since").is_null() | (pl.col("unused_since") > now - keep_unused)
    )
    return EmbedUpdate(
        frame=fresh.sort("embed_sha256", "encoder"),
        embedded=computed.height,
        cache_hits=wanted.height - computed.height,
        borrowed=borrowed.height,
        unused=int(fresh["unused_since"].is_not_null().sum()),
        dropped=known.height - fresh.height,
        tokens=int(missing["token_count"].sum()),
    )


def _encode(
    missing: pl.DataFrame,
    encoder: Encoder,
    schema: pl.Schema,
    run_id: str,
    progress: Callable[[int], None] | None,
) -> pl.DataFrame:
    if missing.is_empty():
        return schema.to_frame()
    vectors = encoder.encode(missing["embed_text"].to_list(), progress)
    return pl.DataFrame(
        {
            "embed_sha256": missing["embed_sha256"],
            "encoder": [encoder.fingerprint] * missing.height,
            "vector": vectors,
            "unused_since": [None] * missing.height,
            "run_id": [run_id] * missing.height,
        },
        schema=schema,
    )


def embeddings_fingerprint(encoder: Encoder) -> str:
    """The configuration of the stage: the encoder, and the columns it writes."""
    return fingerprint({"encoder": encoder.fingerprint, "version": STAGE_VERSION})


def embeddings_digest(chunks: pl.DataFrame, encoder_fingerprint: str) -> str:
    """What the index depends on: which texts have vectors, by which encoder."""
    keys = chunks.select(pl.col("embed_sha256").unique()).with_columns(
        encoder=pl.lit(encoder_fingerprint)
    )
    return frame_digest(keys, ["embed_sha256", "encoder"], ["embed_sha256"])


def select_rows(
    tables: Iterable[pl.LazyFrame], hashes: list[str], encoder: str
) -> pl.DataFrame | None:
    """The rows with these hashes and this encoder in several stored tables, or ``None``."""
    wanted = pl.Series("embed_sha256", hashes).implode()
    frames = [
        table.filter(
            (pl.col("encoder") == encoder) & pl.col("embed_sha256").is_in(wanted)
        ).collect()
        for table in tables
    ]
    frames = [frame for frame in frames if frame.height]
    return pl.concat(frames, how="vertical_relaxed") if frames else None
