"""Makes damaged stage tables and lost contents again, from what comes before them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import polars as pl

from rag_assets.chunks.schema import CHUNKS
from rag_assets.chunks.stage import run_chunks
from rag_assets.embeddings.schema import embeddings_schema
from rag_assets.embeddings.stage import run_embeddings
from rag_assets.encoders import make_encoder
from rag_assets.parsed_documents.schema import PARSED_DOCUMENTS
from rag_assets.parsed_documents.stage import run_parsed_documents
from rag_assets.platform.errors import IndexUnavailable, StorageError
from rag_assets.platform.platform import Platform
from rag_assets.platform.stage import StageRun
from rag_assets.platform.tables import Stamp
from rag_assets.raw_documents.blobs import Blobs
from rag_assets.raw_documents.rows import listing_of, sha256_of
from rag_assets.raw_documents.schema import RAW_DOCUMENTS
from rag_assets.raw_documents.sources import open_partition
from rag_assets.raw_documents.stage import run_raw_documents
from rag_assets.vector_index.configuration import index_fingerprints, index_table_name
from rag_assets.vector_index.stage import run_vector_index

from .base import Disagreement
from .mend import open_table
from .scan import VersionScan
from .shard import STAGES
from .vectors import is_unit

RUNNERS = {
    "raw_documents": run_raw_documents,
    "parsed_documents": run_parsed_documents,
    "chunks": run_chunks,
    "embeddings": run_embeddings,
    "vector_index": run_vector_index,
}


def mend_tables(
    platform: Platform, partition: str, found: Sequence[Disagreement], run_id: str
) -> None:
    """Make the damaged tables of a shard again, and run the stages after them.

    Rows that are known to be sound stay; the others are parsed, cut or encoded again. When that
    fails, the tables are as they were before.

    Args:
        platform: the deployment.
        partition: the shard's key.
        found: what is wrong with its tables.
        run_id: recorded in rows that are written.

    Raises:
        RaglineError: a stage failed, for instance because the source is out of reach.
    """
    run = StageRun(platform, partition, run_id, report=platform.report)
    damaged = sorted({item.asset for item in found}, key=STAGES.index)
    doing = f"repairing '{partition}'"
    with (
        platform.lock(f"shard-{partition}", doing=doing, timeout=900),
        _kept(platform, damaged, partition),
    ):
        for asset in damaged:
            ids = [set(item.ids) for item in found if item.asset == asset]
            wrong = set.union(*ids) if all(ids) else set()
            _take_out(platform, asset, partition, wrong)
        # what was encoded before comes from the index, where the table is gone
        if "embeddings" in damaged and platform.tables.stamp("embeddings", partition) is None:
            _vectors_of_index(platform, partition)
        for asset in STAGES[STAGES.index(damaged[0]) :]:
            RUNNERS[asset](run)


def mend_blobs(platform: Platform, partition: str, hashes: Sequence[str]) -> list[str]:
    """Read lost contents from their source again; those that it no longer has.

    Args:
        platform: the deployment.
        partition: the shard whose documents have them.
        hashes: of the contents.
    """
    source = open_partition(platform.settings, partition)
    raw = platform.tables.read("raw_documents", partition, RAW_DOCUMENTS)
    wanted = raw.filter(pl.col("content_sha256").is_in(pl.Series(list(hashes)).implode()))
    most = int(platform.settings.parsing.max_file_mb * 1_000_000)
    documents = listing_of(source).documents
    left, blobs = set(hashes), Blobs(platform.storage)
    for document in wanted["document_id"]:
        listed = documents.get(document)
        if listed is None or listed.problem_kind:
            continue
        fetched = source.fetch(listed, most)
        sha256 = sha256_of(fetched)
        if sha256 in left:
            # not ``put``: it keeps what is there when only the size is right
            platform.storage.write(blobs.key(sha256), fetched.content)
            left.discard(sha256)
    return sorted(left)


@contextmanager
def _kept(platform: Platform, assets: Sequence[str], partition: str) -> Iterator[None]:
    """Put the tables back as they were when the block fails."""
    storage, before = platform.storage, {}
    for asset in assets:
        key = platform.tables.key(asset, partition)
        if storage.size(key) is not None:
            before[key] = storage.read(key)
    try:
        yield
    except BaseException:
        for key, content in before.items():
            storage.write(key, content)
        raise


def _take_out(platform: Platform, asset: str, partition: str, wrong: set[str]) -> None:
    """Remove the rows that are wrong from a table; all of it, where they are not known."""
    tables = platform.tables
    try:
        stamp = tables.stamp(asset, partition)
        sound = _without(platform, asset, partition, wrong) if wrong else None
    except StorageError:
        stamp, sound = None, None
    if stamp is None or sound is None:
        tables.drop(asset, partition)
        return
    tables.write(asset, partition, sound, replace(stamp, digest=""))


def _without(
    platform: Platform, asset: str, partition: str, wrong: set[str]
) -> pl.DataFrame | None:
    names = pl.Series(sorted(wrong)).implode()
    tables = platform.tables
    if asset == "parsed_documents":
        parsed = tables.read(asset, partition, PARSED_DOCUMENTS)
        return parsed.filter(~pl.col("document_id").is_in(names))
    if asset == "chunks":
        chunks = tables.read(asset, partition, CHUNKS)
        # a document is cut as a whole
        touched = chunks.filter(pl.col("chunk_id").is_in(names))
        return chunks.join(touched, on="document_id", how="anti")
    if asset == "embeddings":
        dimensions = make_encoder(platform.settings.encoder, platform.state_path).dimensions
        vectors = tables.read(asset, partition, embeddings_schema(dimensions))
        return vectors.filter(~pl.col("embed_sha256").is_in(names))
    return None


def _vectors_of_index(platform: Platform, partition: str) -> None:
    """Fill an embeddings table with the vectors of the newest version of the index."""
    encoder = make_encoder(platform.settings.encoder, platform.state_path)
    table = index_table_name(index_fingerprints(platform, encoder))
    dataset = open_table(platform, table)
    if dataset is None:
        return
    options = platform.storage_options
    scan = VersionScan(platform.lancedb_uri, table, dataset.version, options)
    frames = [pl.DataFrame(schema=embeddings_schema(encoder.dimensions))]
    for fragment in scan.fragments():
        try:
            for rows in scan.stream(fragment):
                own = rows.filter(pl.col("partition") == partition)
                own = own.filter(pl.Series(is_unit(own["vector"].to_numpy()), dtype=pl.Boolean))
                frames.append(
                    own.select(
                        "embed_sha256",
                        pl.lit(encoder.fingerprint).alias("encoder"),
                        "vector",
                        pl.lit(None, pl.Datetime("us", "UTC")).alias("unused_since"),
                        pl.col("embed_run_id").alias("run_id"),
                    ).cast(embeddings_schema(encoder.dimensions))
                )
        except IndexUnavailable:
            continue  # what it held is encoded again
    vectors = pl.concat(frames).unique("embed_sha256", keep="first")
    platform.tables.write("embeddings", partition, vectors, Stamp("", "", ""))
