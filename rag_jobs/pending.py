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
from rag_assets.platform.errors import ConfigurationError, SourceChanged, SourceUnavailable
from rag_assets.platform.platform import Platform
from rag_assets.platform.tables import Stamp
from rag_assets.raw_documents.changes import pending_changes
from rag_assets.raw_documents.schema import RAW_DOCUMENTS
from rag_assets.raw_documents.sources import open_partition, parse_partition, partition_keys
from rag_assets.raw_documents.stage import manifest_fingerprint
from rag_assets.releases.candidate import (
    expected_partitions,
    judging_fingerprint,
    present_table,
)
from rag_assets.releases.history import History
from rag_assets.releases.operations import ACCEPTABLE
from rag_assets.releases.registry import Registry, Release
from rag_assets.vector_index.configuration import index_fingerprints, index_table_name
from rag_assets.vector_index.stage import UPSTREAM, upstream_digest

STAGES = (*UPSTREAM, "vector_index")
MAX_VERSION = 2**64 - 1


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
        return not self.work and not self.release_due

    @property
    def unavailable(self) -> list[ShardPending]:
        """Shards whose source cannot be listed."""
        return [shard for shard in self.shards if shard.unavailable]


def find_pending(platform: Platform, source: str | None = None) -> Pending:
    """Compare sources, tables and the live release.

    Args:
        platform: the deployment.
        source: only this source.

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
    forbidden = ErasureRequests(platform.database).forbidden()
    shards = tuple(
        _shard(platform, name, stamps[name], fingerprints, encoder, name in retired, forbidden)
        for name in chosen
    )
    live = Registry(platform.database).live()
    due, reason = release_due(platform, index_table_name(fingerprints))
    return Pending(shards, live, due, reason, stamps)


def _stamps(platform: Platform, partition: str) -> dict[str, Stamp | None]:
    return {stage: platform.tables.stamp(stage, partition) for stage in STAGES}


def _shard(
    platform: Platform,
    partition: str,
    stamps: dict[str, Stamp | None],
    fingerprints: dict[str, str],
    encoder: Encoder,
    retired: bool,
    forbidden: frozenset[str],
) -> ShardPending:
    previous = platform.tables.read("raw_documents", partition, RAW_DOCUMENTS)
    try:
        counts = pending_changes(
            previous,
            open_partition(platform.settings, partition, forbidden),
            max_bytes=int(platform.settings.parsing.max_file_mb * 1_000_000),
        )
    except (SourceUnavailable, SourceChanged) as error:
        return ShardPending(partition, unavailable=str(error), retired=retired)
    reasons = [f"{counts[kind]} {kind}" for kind in ("added", "changed", "deleted") if counts[kind]]
    expected = {
        "raw_documents": manifest_fingerprint(platform.settings, partition),
        "parsed_documents": fingerprints["parser"],
        "chunks": fingerprints["chunker"],
        "embeddings": embeddings_fingerprint(encoder),
        "vector_index": index_table_name(fingerprints),
    }
    first = 0 if reasons else _first_stale(stamps, expected, reasons)
    if first == len(STAGES) and not _table_exists(platform, expected["vector_index"]):
        first, reasons = len(STAGES) - 1, ["the index table is missing"]
    if retired:
        reasons.append("no longer configured")
    return ShardPending(
        partition=partition,
        listed=counts["listed"],
        added=counts["added"],
        changed=counts["changed"],
        deleted=counts["deleted"],
        stages=STAGES if retired else STAGES[first:],
        reasons=tuple(reasons),
        retired=retired,
    )


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
        if retry and datetime.fromisoformat(retry) <= datetime.now(UTC):
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


def _version_exists(platform: Platform, release: Release) -> bool:
    """Whether a release's version is still there, without opening it: Lance is slow to import."""
    if not platform.lancedb_is_local:
        return True
    folder = Path(platform.lancedb_uri) / f"{release.table_name}.lance" / "_versions"
    # Lance names manifests so that the newest comes first in a listing; older ones by their number
    names = f"{MAX_VERSION - release.lance_version:020}", str(release.lance_version)
    return any((folder / f"{name}.manifest").is_file() for name in names)


def release_due(platform: Platform, table: str = "") -> tuple[bool, str]:
    """Whether a candidate is to be made and judged, and why; or why not.

    Args:
        platform: the deployment.
        table: of the present configuration, where it is known already.
    """
    partitions, live = expected_partitions(platform), Registry(platform.database).live()
    table = table or present_table(platform)
    if live is not None and (live.table_name, live.partitions) == (table, partitions):
        if _version_exists(platform, live):
            return False, ""
        return True, f"the version of the index that is release {live.id} is gone"
    hold = History(platform.database).hold()
    registry = Registry(platform.database)
    if hold is not None:
        for release in registry.all():
            same = (release.table_name, release.partitions) == (table, partitions)
            if same and release.readable and (release.judged_with or release.promoted_at):
                why = f"promotions are held back: {hold.reason}"
                return False, f"the present index is release {release.id}; {why}"
    # only where there is something to judge: a tick that finds nothing must be quick
    from evals.gates.gates import evaluation_gates

    judged_with = judging_fingerprint(platform, live, evaluation_gates(platform.settings))
    judged = registry.judged(table, partitions, judged_with)
    # a verdict on quality stays what it is; what was damaged may have been mended since
    rejected = judged is not None and judged.status == "rejected"
    if judged is not None and rejected and set(judged.failed_gates) <= set(ACCEPTABLE):
        return False, f"the present index was rejected as release {judged.id}: {judged.reason}"
    if live is None:
        return True, "there is no release yet"
    if live.table_name != table:
        return True, "the configuration has changed"
    return True, "the index has changed since the live release"
