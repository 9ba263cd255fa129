"""From the shards' tables to a released index: candidate, gates, promotion or rejection."""

import time
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from rag_assets.chunks.schema import CHUNKS
from rag_assets.encoders import make_encoder
from rag_assets.parsed_documents.schema import PARSED_DOCUMENTS
from rag_assets.platform.errors import IndexUnavailable
from rag_assets.platform.fingerprint import fingerprint
from rag_assets.platform.platform import Platform
from rag_assets.raw_documents.schema import RAW_DOCUMENTS
from rag_assets.vector_index.configuration import index_fingerprints, index_table_name
from rag_assets.vector_index.manifest import INDEX_MANIFEST, contents_sha256
from rag_assets.vector_index.retention import remove_tag, tables, tags
from rag_assets.vector_index.sql import quoted
from rag_assets.vector_index.table import IndexTable

from .configuration import configuration_of
from .gates import (
    FurtherGates,
    Gate,
    ShardFacts,
    ann_recall,
    conservation,
    encoder_agreement,
    index_integrity,
    quarantine_share,
)
from .history import History
from .registry import Candidate, Registry, Release

VECTORS_SAMPLED = 512
TEXTS_SAMPLED = 32
RECALL_PROBES = 32
RECALL_AT = 10


@dataclass(frozen=True)
class Promotion:
    """What became of a candidate.

    Attributes:
        release: the registry's row afterwards.
        before: the release that was live before, if there was one.
        gates: every gate's verdict.
        created: whether there was anything new to release.
        seconds: time it took.
    """

    release: Release
    before: Release | None
    gates: tuple[Gate, ...]
    created: bool
    seconds: float

    @property
    def promoted(self) -> bool:
        """Whether the release is live."""
        return self.release.status == "live"

    @property
    def waiting(self) -> bool:
        """Whether it passed its gates while promotions are held back."""
        return self.release.status == "candidate"


def expected_partitions(platform: Platform) -> dict[str, str]:
    """The digest of every shard's part of the index, from the stamps."""
    found = {}
    for name in platform.tables.partitions("vector_index"):
        stamp = platform.tables.stamp("vector_index", name)
        if stamp is not None:
            found[name] = stamp.digest
    return found


def present_table(platform: Platform) -> str:
    """The LanceDB table of the present configuration."""
    return index_table_name(index_fingerprints(platform))


def open_candidate(platform: Platform, run_id: str) -> Candidate:
    """Register and tag the present state of the index, so that it can be read and evaluated.

    Readers do not see it. Asked again before anything changed, it gives the same candidate.

    Args:
        platform: settings, tables, database.
        run_id: the Dagster run.

    Raises:
        IndexUnavailable: a shard has not been built with the present configuration.
    """
    with platform.lock("index-write", doing="preparing a release", timeout=900):
        return _open(platform, run_id)[0]


def release_candidate(
    platform: Platform, run_id: str, further: FurtherGates | None = None
) -> Promotion:
    """Promote the current state of the index when every gate passes.

    The live release keeps serving whatever happens here: a candidate becomes visible to readers
    only in the last transaction.

    Args:
        platform: settings, tables, database.
        run_id: the Dagster run.
        further: gates that rooms after this one judge, e.g. retrieval quality.

    Returns:
        The release as the registry has it afterwards, with the verdicts.
    """
    started = time.perf_counter()
    further = further or FurtherGates()
    registry = Registry(platform.database)
    with platform.lock("index-write", doing="releasing the index", timeout=900):
        candidate, table, shards = _open(platform, run_id)
        release = candidate.release
        if candidate.unchanged:
            return Promotion(release, candidate.live, (), False, time.perf_counter() - started)
        judged_with = judging_fingerprint(platform, candidate.live, further)
        gates = _judge(platform, table, shards, candidate.live)
        gates += further.judge(platform, candidate)
        metrics = {
            gate.name: {
                "verdict": gate.verdict,
                "passed": gate.passed,
                "explanation": gate.explanation,
                **gate.metadata,
            }
            for gate in gates
        }
        failed = [gate for gate in gates if gate.blocks]
        hold = History(platform.database).hold()
        if failed:
            # its version keeps its tag: a person may want to look at it, or to accept it
            reason = "; ".join(f"{gate.name}: {gate.explanation}" for gate in failed)
            registry.reject(release.id, reason, metrics, judged_with)
        elif hold is not None:
            reason = f"promotions are held back: {hold.reason}"
            registry.wait(release.id, reason, metrics, judged_with)
        else:
            over = candidate.live.id if candidate.live else None
            registry.promote(release.id, metrics, over=over, judged_with=judged_with)
    after = registry.get(release.id)
    assert after is not None
    return Promotion(after, candidate.live, tuple(gates), True, time.perf_counter() - started)


def judging_fingerprint(
    platform: Platform, live: Release | None, further: FurtherGates | None = None
) -> str:
    """What the verdicts on a candidate depend on besides the candidate itself.

    Args:
        platform: its margins.
        live: the release that the candidate is compared with.
        further: gates of rooms after this one.
    """
    margins = platform.settings.gates.model_dump(mode="json")
    against = live.id if live else 0
    return fingerprint([margins, against, further.fingerprint(platform) if further else ""])


def _open(platform: Platform, run_id: str) -> tuple[Candidate, IndexTable, dict[str, ShardFacts]]:
    """The candidate, registered and tagged, with what its gates look at; under the writer's lock."""
    registry = Registry(platform.database)
    fingerprints = index_fingerprints(platform)
    name = index_table_name(fingerprints)
    partitions = expected_partitions(platform)
    live = registry.live()
    dimensions = make_encoder(platform.settings.encoder, platform.state_path).dimensions
    table = IndexTable(platform.lancedb_uri, name, dimensions, platform.storage_options)
    if live is not None and _is_current(live, table, name, partitions):
        return Candidate(live, live), table, {}
    table.prepare()
    shards = {shard: _facts(platform, table, shard, name) for shard in partitions}
    present = registry.candidate()
    if present is not None and _is_current(present, table, name, partitions):
        return Candidate(present, live), table, shards
    if present is not None and not present.judged_with:
        _untag(platform, present)  # its run ended before its gates
    release = registry.add_candidate(
        table_name=name,
        lance_version=table.version,
        fingerprints=fingerprints,
        partitions=partitions,
        documents=sum(shard.indexed["document_id"].n_unique() for shard in shards.values()),
        chunks=sum(shard.indexed.height for shard in shards.values()),
        manifest_sha256=manifest_sha256(platform, list(partitions), fingerprints),
        run_id=run_id,
        configuration=configuration_of(platform.settings),
    )
    table.tag(release.tag, release.lance_version)
    return Candidate(release, live), table, shards


def _untag(platform: Platform, release: Release) -> None:
    """Let the version of a candidate that nobody will promote be cleaned up."""
    # not as an IndexTable: that of another encoder may have vectors of another length
    uri, options = platform.lancedb_uri, platform.storage_options
    there = release.table_name in tables(uri, options)
    if there and release.tag in tags(uri, release.table_name, options):
        remove_tag(uri, release.table_name, release.tag, options)


def _is_current(release: Release, table: IndexTable, name: str, partitions: dict[str, str]) -> bool:
    """Whether a release is what the tables say, and its version is still there."""
    same = (release.table_name, release.partitions) == (name, partitions)
    return same and table.tags().get(release.tag) == release.lance_version


def _judge(
    platform: Platform, table: IndexTable, shards: dict[str, ShardFacts], live: Release | None
) -> list[Gate]:
    states = pl.concat(
        [_states(platform, name) for name in shards]
        or [PARSED_DOCUMENTS.to_frame().select("status", "error_kind")]
    )
    vectors = table.sample_vectors(VECTORS_SAMPLED)
    return [
        conservation(shards),
        index_integrity(
            rows=table.count(),
            expected=sum(shard.indexed.height for shard in shards.values()),
            indices=table.indices(),
            vectors=vectors,
        ),
        _measure_agreement(platform, table),
        _measure_recall(table, vectors, live),
        quarantine_share(states, platform.settings.gates.max_quarantine_share),
    ]


def _measure_agreement(platform: Platform, table: IndexTable) -> Gate:
    texts, stored = table.sample_texts(TEXTS_SAMPLED)
    encoder = make_encoder(platform.settings.encoder, platform.state_path)
    return encoder_agreement(stored, encoder.encode(texts))


def _measure_recall(table: IndexTable, vectors: Any, live: Release | None) -> Gate:
    """Measured once for every vector index: rows that it does not know yet are searched exactly."""
    index = table.vector_index_id()
    if not index:
        return ann_recall([], [])
    before = live.metrics.get("ann_recall", {}) if live else {}
    if live is not None and before.get("index") == index and before.get("passed"):
        recall = float(before["recall"])
        text = f"recall@{RECALL_AT} {recall:.3f}, as measured: the vector index is that of release {live.id}"
        return Gate("ann_recall", True, text, {"recall": recall, "index": index})
    probes = vectors[:: max(1, len(vectors) // RECALL_PROBES)]
    found = [table.nearest(probe, RECALL_AT) for probe in probes]
    gate = ann_recall(table.nearest_exactly(probes, RECALL_AT), found)
    return replace(gate, metadata={**gate.metadata, "index": index})


def _states(platform: Platform, partition: str) -> pl.DataFrame:
    parsed = platform.tables.read("parsed_documents", partition, PARSED_DOCUMENTS)
    return parsed.select("status", "error_kind")


def _facts(platform: Platform, table: IndexTable, partition: str, name: str) -> ShardFacts:
    tables = platform.tables
    stamp = tables.stamp("vector_index", partition)
    if stamp is None or stamp.fingerprint != name:
        raise IndexUnavailable(
            f"The shard '{partition}' has not been built with the present configuration.",
            "Run 'ragline ingest' (or materialize 'vector_index' of that partition) first.",
        )
    return ShardFacts(
        listed=tables.read("raw_documents", partition, RAW_DOCUMENTS).select("document_id"),
        states=tables.read("parsed_documents", partition, PARSED_DOCUMENTS).select(
            "document_id",
            "status",
            "stale",
            wordy=pl.col("text").str.contains(r"[\p{L}\p{N}]").fill_null(False),
        ),
        chunks=tables.read("chunks", partition, CHUNKS).select("document_id", "chunk_id"),
        indexed=tables.read("vector_index", partition, INDEX_MANIFEST).select(
            "document_id", "chunk_id"
        ),
        rows_in_index=table.count(f"partition = {quoted(partition)}"),
    )


def manifest_sha256(platform: Platform, partitions: list[str], fingerprints: dict[str, str]) -> str:
    """The hash of what a release says: equal for equal documents and configuration anywhere.

    It does not depend on the number of shards, on paths, on times or on runs.
    """
    digests: list[str] = []
    for name in partitions:
        rows = platform.tables.read("vector_index", name, INDEX_MANIFEST)
        digests += rows["portable_sha256"].to_list()
    return contents_sha256(digests, fingerprints)
