"""Makes a sound version of the index out of a damaged one: only what disagrees is written.

A version is never changed. What is mended becomes a new version, which nobody reads before a tag
names it; that is the caller's to do, after it has been compared with what it should be.
"""

from dataclasses import dataclass
from typing import Any

import polars as pl

from rag_assets.chunks.schema import CHUNKS
from rag_assets.embeddings.schema import embeddings_schema
from rag_assets.encoders import Encoder, make_encoder
from rag_assets.parsed_documents.schema import PARSED_DOCUMENTS
from rag_assets.platform.platform import Platform
from rag_assets.raw_documents.schema import RAW_DOCUMENTS
from rag_assets.vector_index.rows import index_rows
from rag_assets.vector_index.sql import quoted
from rag_assets.vector_index.stage import INDEX_MANIFEST
from rag_assets.vector_index.table import IndexTable

# ids in one condition
LISTED = 500


@dataclass(frozen=True)
class Damage:
    """What is wrong with a version.

    Attributes:
        files: data files that cannot be read, relative to the table's folder.
        rows: chunk_ids of rows that must not stay as they are.
        indices: search indices to build again.
    """

    files: frozenset[str] = frozenset()
    rows: frozenset[str] = frozenset()
    indices: frozenset[str] = frozenset()


def mend(platform: Platform, table: str, version: int | None, damage: Damage) -> int:
    """Make a new version without the damage, from the tables as they are; the newest one then.

    Args:
        platform: the deployment; its tables are sound.
        table: of the present configuration.
        version: the damaged version; None for the newest one, whatever that is.
        damage: what is wrong with it.

    Returns:
        The new version. The caller holds the lock ``index-write``, and compares it.
    """
    encoder = make_encoder(platform.settings.encoder, platform.state_path)
    dataset = open_table(platform, table)
    if dataset is not None:
        if version is not None and version != dataset.version:
            restore(platform, table, version)
        for name in sorted(damage.indices):
            _drop_index(open_table(platform, table), name)
        _drop_fragments(platform, table, damage.files)
        _delete(open_table(platform, table), sorted(damage.rows))
    target = IndexTable(platform.lancedb_uri, table, encoder.dimensions, platform.storage_options)
    for partition in platform.tables.partitions("vector_index"):
        _fill(platform, target, partition, encoder)
    target.prepare(resume=False)
    return target.version


def rebuild_indices(platform: Platform, table: str, version: int, indices: frozenset[str]) -> int:
    """Make a new version with the same rows and some search indices built again.

    Args:
        platform: the deployment.
        table: of any configuration.
        version: whose search indices are damaged.
        indices: their names.

    Returns:
        The new version, the newest one now. The caller holds the lock ``index-write``.
    """
    if open_table(platform, table).version != version:
        restore(platform, table, version)
    for name in sorted(indices):
        _drop_index(open_table(platform, table), name)
    dimensions = open_table(platform, table).schema.field("vector").type.list_size
    target = IndexTable(platform.lancedb_uri, table, dimensions, platform.storage_options)
    target.prepare(resume=False)
    return target.version


def open_table(platform: Platform, table: str) -> Any:
    """The newest version of a table as a Lance dataset; None where it cannot be opened."""
    import lance

    uri = f"{platform.lancedb_uri}/{table}.lance"
    try:
        return lance.dataset(uri, storage_options=platform.storage_options or None)
    except (OSError, ValueError, RuntimeError):
        return None


def restore(platform: Platform, table: str, version: int) -> None:
    """Make an old version the newest one again."""
    import lance

    uri = f"{platform.lancedb_uri}/{table}.lance"
    options = platform.storage_options or None
    lance.dataset(uri, version=version, storage_options=options).restore()


def _drop_index(dataset: Any, name: str) -> None:
    if any(index.name == name for index in dataset.describe_indices()):
        dataset.drop_index(name)


def _drop_fragments(platform: Platform, table: str, files: frozenset[str]) -> None:
    """Take fragments whose files are gone out of the newest version."""
    import lance

    dataset = open_table(platform, table)
    gone = [
        fragment.fragment_id
        for fragment in dataset.get_fragments()
        if any(f"data/{file.path}" in files for file in fragment.data_files())
    ]
    if gone:
        operation = lance.LanceOperation.Delete([], gone, "true")
        lance.LanceDataset.commit(
            dataset.uri,
            operation,
            read_version=dataset.version,
            storage_options=platform.storage_options or None,
        )


def _delete(dataset: Any, chunk_ids: list[str]) -> None:
    for start in range(0, len(chunk_ids), LISTED):
        listed = ", ".join(quoted(item) for item in chunk_ids[start : start + LISTED])
        dataset.delete(f"chunk_id IN ({listed})")


def _fill(platform: Platform, target: IndexTable, partition: str, encoder: Encoder) -> None:
    """Write the rows of a shard that its manifest lists and the table lacks; remove all others."""
    manifest = platform.tables.read("vector_index", partition, INDEX_MANIFEST)
    stored = target.stored(partition)
    lacking = manifest.join(stored, on="chunk_id", how="anti")
    extra = stored.join(manifest, on="chunk_id", how="anti")["chunk_id"].sort().to_list()
    if lacking.is_empty() and not extra:
        return
    rows = shard_rows(platform, partition, encoder)
    write = rows.join(lacking, on="chunk_id", how="semi")
    target.commit_shard(partition, write, extra, lambda: rows)


def shard_rows(platform: Platform, partition: str, encoder: Encoder) -> pl.DataFrame:
    """The index rows of a shard with their vectors, from its tables."""
    tables = platform.tables
    stamp = tables.stamp("vector_index", partition)
    vectors = tables.read("embeddings", partition, embeddings_schema(encoder.dimensions)).filter(
        pl.col("encoder") == encoder.fingerprint
    )
    rows = index_rows(
        tables.read("raw_documents", partition, RAW_DOCUMENTS),
        tables.read("parsed_documents", partition, PARSED_DOCUMENTS),
        tables.read("chunks", partition, CHUNKS),
        vectors,
        partition,
        stamp.run_id if stamp else "",
    )
    return rows.join(vectors.select("embed_sha256", "vector"), on="embed_sha256", how="inner")
