"""What a shard's part of the index says, one line a chunk, and the hashes that are made of it.

Pure functions of rows: the stage uses them on the rows that it writes, and whoever corrects or checks
a release uses them on the rows of that release's version. Both must come to the same hashes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from rag_assets.platform.fingerprint import fingerprint, frame_digest

from .rows import portable_digests
from .schema import PORTABLE_COLUMNS

INDEX_MANIFEST = pl.Schema(
    {
        "chunk_id": pl.String,
        "document_id": pl.String,
        "row_sha256": pl.String,
        "portable_sha256": pl.String,
    }
)

# the columns of an index row that its manifest follows from
MANIFEST_SOURCE = ("partition", "row_sha256", *PORTABLE_COLUMNS)


@dataclass(frozen=True)
class Contents:
    """What the registry says of a version's rows.

    Attributes:
        documents, chunks: how many there are.
        partitions: digest of every shard's part.
        manifest_sha256: the same for the same documents and configuration on every machine.
    """

    documents: int
    chunks: int
    partitions: dict[str, str]
    manifest_sha256: str


def index_manifest(rows: pl.DataFrame) -> pl.DataFrame:
    """The manifest of index rows: INDEX_MANIFEST, in the order of the rows.

    Args:
        rows: row_sha256 and PORTABLE_COLUMNS of INDEX_ROWS.
    """
    return rows.select(
        "chunk_id", "document_id", "row_sha256", portable_sha256=portable_digests(rows)
    )


def shard_digest(manifest: pl.DataFrame) -> str:
    """The digest of a shard's part of the index, whatever the order of its rows."""
    return frame_digest(manifest, ["chunk_id", "row_sha256"], ["chunk_id"])


def contents_sha256(portable: Iterable[str], fingerprints: Mapping[str, str]) -> str:
    """The hash of what a release says: equal for equal documents and configuration anywhere.

    Args:
        portable: ``portable_sha256`` of all its rows, in any order.
        fingerprints: of its configuration; see ``index_fingerprints``.
    """
    return fingerprint({"rows": sorted(portable), "configuration": fingerprints["index"]})


def contents_of(
    rows: pl.DataFrame, partitions: Iterable[str], fingerprints: Mapping[str, str]
) -> Contents:
    """What the registry should say of a version.

    Args:
        rows: MANIFEST_SOURCE of all its rows.
        partitions: the shards it is made of; one without rows has a digest too.
        fingerprints: of its configuration.
    """
    manifest = index_manifest(rows).with_columns(rows["partition"])
    names = sorted({*partitions, *rows["partition"].unique()})
    parts = {name: manifest.filter(pl.col("partition") == name) for name in names}
    return Contents(
        documents=rows["document_id"].n_unique(),
        chunks=rows.height,
        partitions={name: shard_digest(part) for name, part in parts.items()},
        manifest_sha256=contents_sha256(manifest["portable_sha256"], fingerprints),
    )
