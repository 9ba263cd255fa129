"""``ragline status``: what became of every document that the sources list."""

from collections import Counter
from dataclasses import asdict
from typing import Any

import polars as pl

from rag_assets.erasure.requests import ErasureRequests
from rag_assets.parsed_documents.schema import PARSED_DOCUMENTS
from rag_assets.platform.errors import SourceChanged, SourceUnavailable
from rag_assets.platform.platform import Platform
from rag_assets.raw_documents.changes import scan_changes
from rag_assets.raw_documents.schema import RAW_DOCUMENTS
from rag_assets.raw_documents.sources import (
    Partitions,
    SourcePartition,
    parse_partition,
    partition_keys,
)
from rag_assets.releases.registry import Registry, Release

STATES = ("indexed", "empty", "quarantined", "pending")


def status_of(platform: Platform) -> dict[str, Any]:
    """Count every listed document in exactly one state.

    ``indexed``: the present version is in the live release. ``empty``: it has no text.
    ``quarantined``: it could not be read. ``pending``: it is new or changed, or not released yet.

    Args:
        platform: the deployment.

    Returns:
        ``documents`` (the four states and ``total``), ``chunks`` and ``release`` of the live
        release, ``sources`` (per source: states, errors by kind), ``quarantine`` (one entry per
        quarantined document, with its typed reason), ``unavailable`` (sources that cannot be
        listed; their documents are counted as the last manifest has them), ``forgotten`` (how many
        documents the sources list that had to be forgotten; they are in none of the states).
    """
    live = Registry(platform.database).live()
    served = _served(platform, live)
    sources: dict[str, Counter[str]] = {name: Counter() for name in platform.settings.sources}
    errors: dict[str, Counter[str]] = {name: Counter() for name in platform.settings.sources}
    quarantine: list[dict[str, Any]] = []
    unavailable: dict[str, str] = {}
    partitions = Partitions(platform.settings, ErasureRequests(platform.database).forbidden())
    forgotten = 0
    for partition in partition_keys(platform.settings):
        source = parse_partition(partition)[0]
        shard = partitions.open(partition)
        states, reason = _partition_states(platform, shard, served)
        forgotten += len(shard.forgotten)
        if reason:
            unavailable[source] = reason
        sources[source].update(states["state"])
        failed = states.filter(pl.col("state") == "quarantined")
        errors[source].update(failed["error_kind"])
        columns = ["document_id", "error_kind", "error", "attempts", "stale"]
        quarantine += failed.select(columns).to_dicts()
    total: Counter[str] = sum(sources.values(), Counter())
    return {
        "documents": _counts(total),
        "chunks": live.chunks if live else 0,
        "release": _release(live),
        "sources": {
            name: {**_counts(counts), "errors": dict(errors[name])}
            for name, counts in sources.items()
        },
        "quarantine": sorted(quarantine, key=lambda item: item["document_id"]),
        "unavailable": unavailable,
        "forgotten": forgotten,
    }


def _counts(states: Counter[str]) -> dict[str, int]:
    return {**{name: states[name] for name in STATES}, "total": states.total()}


def _release(live: Release | None) -> dict[str, Any] | None:
    if live is None:
        return None
    values = asdict(live)
    kept = ("id", "created_at", "documents", "chunks", "manifest_sha256", "lance_version")
    return {name: values[name] for name in kept}


def _served(platform: Platform, live: Release | None) -> pl.DataFrame:
    """Columns document_id and content_sha256 of what readers can see."""
    if live is None:
        return pl.DataFrame(schema={"document_id": pl.String, "content_sha256": pl.String})
    from rag_assets.releases.opening import open_release

    return open_release(platform, live).documents().select("document_id", "content_sha256")


def _partition_states(
    platform: Platform, shard: SourcePartition, served: pl.DataFrame
) -> tuple[pl.DataFrame, str]:
    partition = shard.key
    raw = platform.tables.read("raw_documents", partition, RAW_DOCUMENTS)
    parsed = platform.tables.read("parsed_documents", partition, PARSED_DOCUMENTS)
    try:
        changes = scan_changes(raw, shard)
        pending, gone, reason = changes.added | changes.changed, changes.deleted, ""
    except (SourceUnavailable, SourceChanged) as error:
        pending, gone, reason = frozenset(), frozenset(), str(error)
    known = raw.select("document_id", "content_sha256").filter(
        ~pl.col("document_id").is_in(pl.Series(sorted(gone | pending), dtype=pl.String).implode())
    )
    key = ["document_id", "content_sha256"]
    details = ["status", "error_kind", "error", "attempts", "stale"]
    joined = known.join(parsed.select(*key, *details), on=key, how="left", nulls_equal=True).join(
        served.with_columns(served=True), on=key, how="left", nulls_equal=True
    )
    # a text without anything the encoder sees is parsed, but has no chunk: to readers it is empty
    state = (
        pl.when(pl.col("status").is_in(["empty", "quarantined"]))
        .then(pl.col("status"))
        .when(pl.col("served"))
        .then(pl.lit("indexed"))
        .when(pl.col("status") == "parsed")
        .then(_without_chunks(platform, partition))
        .otherwise(pl.lit("pending"))
    )
    waiting = pl.DataFrame({"document_id": sorted(pending)}, schema={"document_id": pl.String})
    states = pl.concat(
        [joined.with_columns(state=state), waiting.with_columns(state=pl.lit("pending"))],
        how="diagonal",
    )
    return states, reason


def _without_chunks(platform: Platform, partition: str) -> pl.Expr:
    """``empty`` where the chunking stage has seen the document and found nothing to cut."""
    from rag_assets.chunks.schema import CHUNKS

    parsed = platform.tables.stamp("parsed_documents", partition)
    stamp = platform.tables.stamp("chunks", partition)
    if stamp is None or parsed is None or stamp.upstream != parsed.digest:
        return pl.lit("pending")
    cut = platform.tables.read("chunks", partition, CHUNKS)["document_id"].unique()
    return (
        pl.when(pl.col("document_id").is_in(cut.implode()))
        .then(pl.lit("pending"))
        .otherwise(pl.lit("empty"))
    )
