"""The index stage of one shard: compare rows, write the difference in one commit."""

import time

import polars as pl

from rag_assets.chunks.schema import CHUNKS
from rag_assets.embeddings.schema import embeddings_schema
from rag_assets.encoders import make_encoder
from rag_assets.parsed_documents.schema import PARSED_DOCUMENTS
from rag_assets.platform.errors import IndexUnavailable
from rag_assets.platform.fingerprint import fingerprint
from rag_assets.platform.stage import StageOutcome, StageRun, require_upstream, write_table
from rag_assets.platform.wording import counted
from rag_assets.raw_documents.schema import RAW_DOCUMENTS

from .configuration import index_fingerprints, index_table_name
from .manifest import INDEX_MANIFEST, index_manifest, shard_digest
from .rows import difference, index_rows
from .sql import quoted
from .table import IndexTable

ASSET = "vector_index"
UPSTREAM = ("raw_documents", "parsed_documents", "chunks", "embeddings")


def run_vector_index(run: StageRun) -> StageOutcome:
    """Bring a shard's rows in LanceDB in step with its tables, by one atomic commit."""
    started = time.perf_counter()
    platform, tables = run.platform, run.platform.tables
    encoder = make_encoder(platform.settings.encoder, platform.state_path)
    upstream = upstream_digest([require_upstream(run, name).digest for name in UPSTREAM])
    name = index_table_name(index_fingerprints(platform, encoder))
    schema = embeddings_schema(encoder.dimensions)
    vectors = tables.read("embeddings", run.partition, schema).filter(
        pl.col("encoder") == encoder.fingerprint
    )
    wanted = index_rows(
        tables.read("raw_documents", run.partition, RAW_DOCUMENTS),
        tables.read("parsed_documents", run.partition, PARSED_DOCUMENTS),
        tables.read("chunks", run.partition, CHUNKS),
        vectors,
        run.partition,
        run.run_id,
    )
    doing = f"writing the index of '{run.partition}'"
    with platform.lock("index-write", doing=doing, timeout=900):
        table = IndexTable(platform.lancedb_uri, name, encoder.dimensions, platform.storage_options)
        table.resume_head()
        write, remove = difference(wanted, table.stored(run.partition))
        commit = table.commit_shard(
            run.partition,
            _with_vectors(write, vectors),
            remove,
            lambda: _with_vectors(wanted, vectors),
        )
        _verify_count(table, run.partition, wanted.height)
    manifest = index_manifest(wanted)
    facts = {
        "chunks": wanted.height,
        "documents_indexed": wanted["document_id"].n_unique(),
        "rows_written": commit.written,
        "rows_removed": commit.removed,
        "lance_version": commit.version,
        "lance_table": name,
        "seconds": round(time.perf_counter() - started, 3),
    }
    digest = shard_digest(manifest)
    previous = tables.read(ASSET, run.partition, INDEX_MANIFEST)
    stamp = run.stamp(digest, upstream, name, **facts)
    return write_table(run, ASSET, manifest, previous, stamp, preview=list(INDEX_MANIFEST))


def upstream_digest(digests: list[str]) -> str:
    """The index depends on every table before it: on texts, but also on ACLs and titles."""
    return fingerprint(digests)


def _with_vectors(rows: pl.DataFrame, vectors: pl.DataFrame) -> pl.DataFrame:
    joined = rows.join(vectors.select("embed_sha256", "vector"), on="embed_sha256", how="left")
    missing = joined["vector"].null_count()
    if missing:
        raise IndexUnavailable(
            f"{counted(missing, 'chunk has', 'chunks have')} no vector of the configured encoder.",
            "Materialize 'embeddings' of this partition first, or run 'ragline ingest'.",
        )
    return joined


def _verify_count(table: IndexTable, partition: str, expected: int) -> None:
    found = table.count(f"partition = {quoted(partition)}")
    if found != expected:
        raise IndexUnavailable(
            f"After the commit the index holds {counted(found, 'row')} of '{partition}' "
            f"instead of {expected}.",
            "Nothing was released. Run 'ragline ingest --full'; if it repeats, report it.",
        )
