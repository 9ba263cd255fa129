"""The bytes of documents: each content is there and has its hash."""

import polars as pl

from rag_assets.platform.errors import StorageError
from rag_assets.platform.platform import Platform
from rag_assets.platform.wording import counted
from rag_assets.raw_documents.blobs import Blobs

from .base import Findings, Kind, Progress, few


def check_blobs(
    platform: Platform, manifests: dict[str, pl.DataFrame], findings: Findings, progress: Progress
) -> None:
    """Read the bytes of every document of the manifests.

    Args:
        platform: the deployment.
        manifests: RAW_DOCUMENTS by partition.
        findings: told what disagrees.
        progress: told how many contents have been read.
    """
    blobs, seen = Blobs(platform.storage), dict[str, Kind | None]()
    total = sum(frame["content_sha256"].drop_nulls().n_unique() for frame in manifests.values())
    for partition, frame in manifests.items():
        found: dict[Kind, list[str]] = {"missing_blobs": [], "edited_blobs": []}
        for sha256 in frame["content_sha256"].drop_nulls().unique().sort():
            if sha256 not in seen:
                seen[sha256] = _state(platform, blobs, sha256)
                findings.count("blobs", 1)
                progress("reading contents", len(seen), total)
            state = seen[sha256]
            if state is not None:
                found[state].append(sha256)
        for kind, hashes in found.items():
            if hashes:
                _name(findings, kind, partition, frame, hashes)


def _name(
    findings: Findings, kind: Kind, partition: str, frame: pl.DataFrame, hashes: list[str]
) -> None:
    holders = frame.filter(pl.col("content_sha256").is_in(pl.Series(hashes).implode()))
    documents = holders["document_id"].sort().to_list()
    what = "is gone" if kind == "missing_blobs" else "does not have its hash"
    findings.add(
        kind,
        few([f"blobs/{sha256[:2]}/{sha256}" for sha256 in hashes]),
        f"the content of {counted(len(documents), 'document')} {what}: {few(documents)}",
        ids=tuple(hashes),
        asset="raw_documents",
        partition=partition,
    )


def _state(platform: Platform, blobs: Blobs, sha256: str) -> Kind | None:
    if platform.storage.size(blobs.key(sha256)) is None:
        return "missing_blobs"
    try:
        blobs.get(sha256)
    except StorageError:
        return "edited_blobs"
    return None
