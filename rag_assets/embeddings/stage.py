"""The embeddings stage of one shard: read, encode what is missing, write."""

import time
from datetime import timedelta
from pathlib import Path

import polars as pl

from rag_assets.chunks.schema import CHUNKS
from rag_assets.encoders import Encoder, make_encoder
from rag_assets.platform.platform import Platform
from rag_assets.platform.stage import StageOutcome, StageRun, require_upstream, write_table
from rag_assets.raw_documents.sources import parse_partition

from .schema import embeddings_schema
from .transform import embed_chunks, embeddings_digest, embeddings_fingerprint, select_rows

ASSET = "embeddings"


def run_embeddings(run: StageRun) -> StageOutcome:
    """Compute the vectors that a shard's chunks lack; see ``transform.embed_chunks``."""
    started = time.perf_counter()
    platform = run.platform
    encoder = make_encoder(platform.settings.encoder, platform.state_path)
    upstream = require_upstream(run, "chunks")
    chunks = platform.tables.read("chunks", run.partition, CHUNKS)
    schema = embeddings_schema(encoder.dimensions)
    previous = platform.tables.read(ASSET, run.partition, schema)
    known = schema.to_frame() if run.full else previous
    expected = chunks.unique("embed_sha256").join(known, on="embed_sha256", how="anti").height
    update = embed_chunks(
        known,
        chunks,
        encoder,
        elsewhere=lambda hashes: _other_shards(run, encoder, hashes),
        keep_unused=timedelta(days=platform.settings.encoder.keep_unused_days),
        now=run.now,
        run_id=run.run_id,
        progress=run.progress(ASSET, expected),
    )
    seconds = time.perf_counter() - started
    facts = {
        "embedded": update.embedded,
        "embedding_cache_hits": update.cache_hits,
        "borrowed_from_other_shards": update.borrowed,
        "unused_kept": update.unused,
        "unused_dropped": update.dropped,
        "tokens": update.tokens,
        "seconds": round(seconds, 3),
        "texts_per_second": round(update.embedded / seconds, 1) if update.embedded else 0.0,
        **{f"encoder_{key}": value for key, value in encoder.describe().items()},
    }
    digest = embeddings_digest(chunks, encoder.fingerprint)
    stamp = run.stamp(digest, upstream.digest, embeddings_fingerprint(encoder), **facts)
    preview = ["embed_sha256", "encoder", "unused_since", "run_id"]
    return write_table(run, ASSET, update.frame, previous, stamp, preview=preview)


def _other_shards(run: StageRun, encoder: Encoder, hashes: list[str]) -> pl.DataFrame:
    """Vectors that other shards of the same source hold (a rename may move a document)."""
    empty = embeddings_schema(encoder.dimensions).to_frame()
    if run.full:
        return empty
    tables = run.platform.tables
    source = parse_partition(run.partition)[0]
    siblings = [
        name
        for name in tables.partitions(ASSET)
        if name != run.partition and parse_partition(name)[0] == source
    ]
    found = select_rows(
        (_scan(run.platform, name) for name in siblings), hashes, encoder.fingerprint
    )
    return empty if found is None else found


def _scan(platform: Platform, partition: str) -> pl.LazyFrame:
    key = platform.tables.key(ASSET, partition)
    path: Path | None = platform.storage.path(key)
    if path is not None:
        return pl.scan_parquet(path)
    return pl.read_parquet(platform.storage.read(key)).lazy()
