"""What is pending: sources compared with the manifest, stamps with stamps. No Dagster, no rows.

This is the question every tick and every ``ragline ingest`` asks first, so it must be quick: it
lists the sources, reads the stamps of the tables and one row of the registry, and nothing else.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rag_assets.embeddings.transform import embeddings_fingerprint
from rag_assets.encoders import Encoder, make_encoder
from rag_assets.erasure.requests import ErasureRequests
from rag_assets.parsed_documents.stage import parsing_fingerprint
from rag_assets.platform.errors import ConfigurationError, SourceChanged, SourceUnavailable
from rag_assets.platform.fingerprint import fingerprint
from rag_assets.platform.platform import Platform
from rag_assets.platform.tables import Stamp
from rag_assets.raw_documents.changes import Changes, scan_changes
from rag_assets.raw_documents.schema import RAW_DOCUMENTS
from rag_assets.raw_documents.settling import SettleRule
from rag_assets.raw_documents.sources import (
    Partitions,
    SourcePartition,
    parse_partition,
    partition_keys,
)
from rag_assets.raw_documents.stage import manifest_fingerprint
from rag_assets.releases.registry import Registry, Release
from rag_assets.vector_index.configuration import index_fingerprints, index_table_name
from rag_assets.vector_index.stage import UPSTREAM, upstream_digest

from .release_due import release_due

STAGES = (*UPSTREAM, "vector_index")


@dataclass(frozen=True)
class ShardPending:
    """What one shard needs.

    Attributes:
        partition: its key.
        listed, added, changed, deleted: documents, by comparing the source with the manifest.
        stages: the stages that are not up to date, in order.
        reasons: why, for people.
        unavailable: the message when the source cannot be listed; then nothing else is known.
        retired: the configuration no longer has this shard; it is emptied and then dropped.
        emptied: it is retired, and nothing of it is left but its empty tables.
        settling: documents that are still being written, and are not looked at yet.
        built: its tables agree with each other and with the configuration, so that it can be
            released as it is; only its source may have moved on.
        digest: of what it should become: the listing and the configuration.
    """

    partition: str
    listed: int = 0
    added: int = 0
    changed: int = 0
    deleted: int = 0
    stages: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    unavailable: str = ""
    retired: bool = False
    emptied: bool = False
    settling: int = 0
    built: bool = False
    digest: str = ""

    @property
    def source(self) -> str:
        """The source it belongs to."""
        return parse_partition(self.partition)[0]


@dataclass(frozen=True)
class Pending:
    """What the whole deployment needs; see ``find_pending``."""

    shards: tuple[ShardPending, ...]
    live: Release | None
    release_due: bool
    release_reason: str
    stamps: dict[str, dict[str, Stamp | None]] = field(repr=False, default_factory=dict)

    @property
    def work(self) -> list[ShardPending]:
        """Shards to run, retired ones last: their vectors may be wanted by others."""
        due = [shard for shard in self.shards if shard.stages and not shard.unavailable]
        return sorted(due, key=lambda shard: (shard.retired, shard.partition))

    @property
    def nothing(self) -> bool:
        """Whether there is nothing at all to do."""
        return not self.work and not self.emptied and not self.release_due

    @property
    def anything_built(self) -> bool:
        """Whether some shard has come as far as the index: else there is nothing to release."""
        return any(stamps["vector_index"] for stamps in self.stamps.values())

    @property
    def emptied(self) -> list[ShardPending]:
        """Shards of which only empty tables are left, to be dropped."""
        return [shard for shard in self.shards if shard.emptied]

    @property
    def unavailable(self) -> list[ShardPending]:
        """Shards whose source cannot be listed."""
        return [shard for shard in self.shards if shard.unavailable]


def find_pending(
    platform: Platform, source: str | None = None, *, settle_seconds: float = 0.0
) -> Pending:
    """Compare sources, tables and the live release.

    Args:
        platform: the deployment.
        source: only this source.
        settle_seconds: files that have been left alone for less are still being written.

    Raises:
        ConfigurationError: there is no such source, or none at all.
    """
    settings = platform.settings
    configured = partition_keys(settings)
    stored = platform.tables.partitions("raw_documents")
    retired = [name for name in stored if name not in configured]
    if not configured and not retired:
        raise ConfigurationError(
            "No source of documents is configured.",
            'Add one to ragline.toml: [sources.handbook] with kind = "folder" and path = "…".',
        )
    if source is not None and source not in settings.sources:
        known = ", ".join(sorted(settings.sources)) or "none"
        raise ConfigurationError(
            f"There is no source '{source}' (known: {known}).", "Name one of them."
        )
    encoder = make_encoder(settings.encoder, platform.state_path)
    fingerprints = index_fingerprints(platform, encoder)
    chosen = [
        name
        for name in [*configured, *retired]
        if source is None or parse_partition(name)[0] == source
    ]
    stamps = {name: _stamps(platform, name) for name in chosen}
    partitions = Partitions(settings, ErasureRequests(platform.database).forbidden())
    settle = SettleRule(settle_seconds)
    shards = tuple(
        _shard(platform, partitions.open(name), stamps[name], fingerprints, encoder, settle)
        for name in chosen
    )
    live = Registry(platform.database).live()
    due, reason = release_due(platform, index_table_name(fingerprints))
    return Pending(shards, live, due, reason, stamps)


def _stamps(platform: Platform, partition: str) -> dict[str, Stamp | None]:
    return {stage: platform.tables.stamp(stage, partition) for stage in STAGES}


def _shard(
    platform: Platform,
    partition: SourcePartition,
    stamps: dict[str, Stamp | None],
    fingerprints: dict[str, str],
    encoder: Encoder,
    settle: SettleRule,
) -> ShardPending:
    name, retired = partition.key, partition.retired
    expected = {
        "raw_documents": manifest_fingerprint(platform.settings, name),
        "parsed_documents": parsing_fingerprint(platform.settings, name),
        "chunks": fingerprints["chunker"],
        "embeddings": embeddings_fingerprint(encoder),
        "vector_index": index_table_name(fingerprints),
    }
    stale: list[str] = []
    first = _first_stale(stamps, expected, stale)
    if first == len(STAGES) and not _table_exists(platform, expected["vector_index"]):
        first, stale = len(STAGES) - 1, ["the index table is missing"]
    built = first == len(STAGES)
    try:
        found = _changes(platform, partition, settle)
    except (SourceUnavailable, SourceChanged) as error:
        return ShardPending(name, unavailable=str(error), retired=retired, built=built)
    counts = {kind: len(getattr(found, kind)) for kind in ("added", "changed", "deleted")}
    reasons = [f"{count} {kind}" for kind, count in counts.items() if count]
    emptied = retired and built and not reasons
    if found.settling and not found.listed and stamps["raw_documents"] is None:
        # its first files are on their way: a run would find nothing yet
        return ShardPending(name, settling=len(found.settling))
    reasons += [] if reasons else stale
    if retired:
        reasons.append("no longer configured")
    return ShardPending(
        partition=name,
        listed=found.listed,
        added=counts["added"],
        changed=counts["changed"],
        deleted=counts["deleted"],
        stages=STAGES if any(counts.values()) or (retired and not emptied) else STAGES[first:],
        reasons=tuple(reasons),
        retired=retired,
        emptied=emptied,
        settling=len(found.settling),
        built=built,
        digest=fingerprint([found.digest, expected, _retries(stamps)]),
    )


def _changes(platform: Platform, partition: SourcePartition, settle: SettleRule) -> Changes:
    return scan_changes(
        platform.tables.read("raw_documents", partition.key, RAW_DOCUMENTS),
        partition,
        max_bytes=int(platform.settings.parsing.max_file_mb * 1_000_000),
        settle=settle,
    )


def _retries(stamps: dict[str, Stamp | None]) -> list[str]:
    """The times of further attempts that are due: another attempt is another thing to do."""
    times = [stamp.facts.get("next_retry_at") for stamp in stamps.values() if stamp]
    return [time for time in times if time and _is_due(time)]


def _is_due(time: str) -> bool:
    return datetime.fromisoformat(time) <= datetime.now(UTC)


def _first_stale(
    stamps: dict[str, Stamp | None], expected: dict[str, str], reasons: list[str]
) -> int:
    """The index of the first stage that is not up to date; adds the reason."""
    for position, stage in enumerate(STAGES):
        stamp = stamps[stage]
        if stamp is None:
            reasons.append(f"{stage} has not been made yet")
            return position
        if stamp.fingerprint != expected[stage]:
            reasons.append(f"the configuration of {stage} has changed")
            return position
        if position and stamp.upstream != _upstream(stage, stamps):
            reasons.append(f"{stage} is behind {STAGES[position - 1]}")
            return position
        retry = stamp.facts.get("next_retry_at")
        if retry and _is_due(retry):
            reasons.append("quarantined documents are due for another attempt")
            return position
    return len(STAGES)


def _upstream(stage: str, stamps: dict[str, Stamp | None]) -> str:
    if stage == "vector_index":
        return upstream_digest([_digest(stamps[name]) for name in UPSTREAM])
    return _digest(stamps[STAGES[STAGES.index(stage) - 1]])


def _digest(stamp: Stamp | None) -> str:
    return stamp.digest if stamp else ""


def _table_exists(platform: Platform, name: str) -> bool:
    """Whether the local LanceDB table is still there; an object store is not asked at every tick."""
    if not platform.lancedb_is_local:
        return True
    return (Path(platform.lancedb_uri) / f"{name}.lance").is_dir()
