"""``verify``: compare releases and the present state with what registry, tables and hashes say."""

import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import polars as pl

from rag_assets.encoders import Encoder, make_encoder
from rag_assets.platform.errors import IndexUnavailable, NoRelease, RaglineError
from rag_assets.platform.platform import Platform
from rag_assets.platform.tables import Stamp
from rag_assets.releases.configuration import encoder_of
from rag_assets.releases.gates import ShardFacts, conservation
from rag_assets.releases.registry import Registry, Release
from rag_assets.vector_index.configuration import index_fingerprints, index_table_name
from rag_assets.vector_index.sql import quoted
from rag_assets.vector_index.stage import INDEX_MANIFEST

from .base import Disagreement, Findings, Progress, Verification
from .blobs import check_blobs
from .registry import check_live, check_tags
from .scan import VersionScan
from .shard import STAGES, Shard, ShardAudit
from .vectors import StoredVectors, stored_vectors
from .version import Expected, Versions

Which = Literal["live", "all"] | int


def verify(
    platform: Platform,
    releases: Which = "live",
    progress: Progress = lambda doing, done, total: None,
) -> Verification:
    """Compare releases, and the state that the next one will be made of, with all that is known.

    Args:
        platform: the deployment.
        releases: ``live``, ``all`` that can be read, or the id of one.
        progress: told what is being compared and how far it is.

    Returns:
        Every disagreement, and what was compared.

    Raises:
        NoRelease: there is no such release, or it can no longer be read.
    """
    started = time.perf_counter()
    work = _Work(platform, progress)
    registry = Registry(platform.database)
    known = registry.all()
    check_live(platform, known, work.findings)
    check_tags(platform, known, work.findings)
    chosen = _chosen(known, releases)
    work.present()
    for release in chosen:
        work.release(release)
    work.head(chosen)
    work.conserved()
    found = work.findings
    return Verification(
        releases=tuple(release.id for release in chosen),
        disagreements=tuple(found.disagreements),
        compared=found.compared,
        pending=tuple(found.pending),
        skipped=tuple(found.skipped),
        seconds=round(time.perf_counter() - started, 3),
    )


def verify_version(platform: Platform, release: Release) -> tuple[Disagreement, ...]:
    """Compare one version of the index with what a release should hold, and nothing else.

    Args:
        platform: the deployment; its tables are taken as they are.
        release: as the registry has it, or as it is about to be amended.
    """
    work = _Work(platform, lambda doing, done, total: None)
    for name in platform.tables.partitions("vector_index"):
        stamp = platform.tables.stamp("vector_index", name)
        if stamp is not None:
            work.stamps[name] = stamp
            work.manifests[name] = platform.tables.read("vector_index", name, INDEX_MANIFEST)
    work.release(release)
    return tuple(work.findings.disagreements)


def _chosen(known: list[Release], which: Which) -> list[Release]:
    if isinstance(which, int):
        found = [release for release in known if release.id == which]
        if not found:
            raise NoRelease(f"There is no release {which}.", "See 'ragline releases list'.")
        if not found[0].readable:
            raise NoRelease(f"Release {which} was removed.", "See 'ragline releases list'.")
        return found
    readable = [release for release in known if release.readable]
    return [release for release in readable if which == "all" or release.status == "live"]


@dataclass
class _Work:
    """The parts of a verification, in order; later ones use what earlier ones have read."""

    platform: Platform
    progress: Progress
    findings: Findings = field(default_factory=Findings)
    stamps: dict[str, Stamp] = field(default_factory=dict)
    manifests: dict[str, pl.DataFrame] = field(default_factory=dict)
    facts: dict[str, ShardFacts] = field(default_factory=dict)
    newest: VersionScan | None = None
    stored: dict[str, StoredVectors] = field(default_factory=dict)

    @cached_property
    def encoder(self) -> Encoder:
        return make_encoder(self.platform.settings.encoder, self.platform.state_path)

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        return index_fingerprints(self.platform, self.encoder)

    @property
    def table(self) -> str:
        """The index table of the present configuration."""
        return index_table_name(self.fingerprints)

    def present(self) -> None:
        """The stage tables of all shards, as they stand while nobody writes them."""
        tables = self.platform.tables
        partitions = sorted({name for stage in STAGES for name in tables.partitions(stage)})
        raw: dict[str, pl.DataFrame] = {}
        with ExitStack() as locks:
            for name in partitions:
                doing = f"verifying '{name}'"
                locks.enter_context(self.platform.lock(f"shard-{name}", doing=doing, timeout=900))
            self._open_newest()
            for done, name in enumerate(partitions, 1):
                audit = ShardAudit(self.platform, name, self.encoder, self._served, self.findings)
                shard = audit.run()
                self._keep(shard)
                if shard.sound("raw_documents"):
                    raw[name] = shard.frames["raw_documents"].select(
                        "document_id", "content_sha256"
                    )
                self.progress("reading the tables of shards", done, len(partitions))
        check_blobs(self.platform, raw, self.findings, self.progress)

    def release(self, release: Release) -> None:
        """One release's version."""
        scan = self._open(release)
        if scan is None:
            return
        manifests = {
            name: self.manifests[name]
            for name, digest in release.partitions.items()
            if name in self.stamps
            and (self.stamps[name].fingerprint, self.stamps[name].digest)
            == (release.table_name, digest)
        }
        expected = Expected(
            place=f"release {release.id}",
            release_id=release.id,
            table=release.table_name,
            chunks=release.chunks,
            documents=release.documents,
            partitions=release.partitions,
            manifest_sha256=release.manifest_sha256,
            configuration=release.fingerprints.get("index", ""),
            manifests=manifests,
        )
        encoder: Encoder | RaglineError
        try:
            encoder = encoder_of(self.platform, release)
        except RaglineError as error:
            encoder = error
        self._audit(scan, expected, encoder)

    def head(self, audited: list[Release]) -> None:
        """The newest version of the present table, unless it has been read as a release's."""
        if self.newest is None:
            return
        same = {(release.table_name, release.lance_version) for release in audited}
        own = {
            name: stamp for name, stamp in self.stamps.items() if stamp.fingerprint == self.table
        }
        # while a shard is being written, the newest version is between two states
        if (self.table, self.newest.version) in same or set(own) != set(self.stamps):
            return
        frames = [self.manifests[name] for name in own]
        expected = Expected(
            place=f"the newest version of {self.table}",
            release_id=None,
            table=self.table,
            chunks=sum(frame.height for frame in frames),
            documents=sum(frame["document_id"].n_unique() for frame in frames),
            partitions={name: stamp.digest for name, stamp in own.items()},
            manifest_sha256="",
            configuration=self.fingerprints["index"],
            manifests={name: self.manifests[name] for name in own},
        )
        self._audit(self.newest, expected, self.encoder)

    def conserved(self) -> None:
        """The sums of documents and chunks, where nothing else explains that they are off."""
        gate = conservation(self.facts)
        self.findings.count("documents", gate.metadata["listed"])
        if not gate.passed and self.findings.compared and not self.findings.disagreements:
            self.findings.add("conservation", "tables", gate.explanation)

    def _audit(
        self, scan: VersionScan, expected: Expected, encoder: Encoder | RaglineError
    ) -> None:
        stored: StoredVectors = {}
        if not isinstance(encoder, RaglineError):
            key = encoder.fingerprint
            if key not in self.stored:
                self.stored[key] = stored_vectors(self.platform, key, encoder.dimensions)
            stored = self.stored[key]
        Versions(self.platform, self.findings, self.progress).audit(scan, expected, stored, encoder)

    def _open(self, release: Release) -> VersionScan | None:
        options = self.platform.storage_options
        try:
            return VersionScan(
                self.platform.lancedb_uri, release.table_name, release.lance_version, options
            )
        except IndexUnavailable as error:
            now = Registry(self.platform.database).get(release.id)
            if now is not None and now.readable:  # else maintenance has just removed it
                self.findings.add(
                    "unreadable_version",
                    f"release {release.id}",
                    error.message,
                    release_id=release.id,
                )
            return None

    def _open_newest(self) -> None:
        import lance

        uri, options = self.platform.lancedb_uri, self.platform.storage_options
        try:
            dataset = lance.dataset(f"{uri}/{self.table}.lance", storage_options=options or None)
            self.newest = VersionScan(uri, self.table, dataset.version, options)
        except (OSError, ValueError, RuntimeError, IndexUnavailable):
            self.newest = None  # nothing was built with the present configuration yet

    def _served(self, chunk_ids: list[str]) -> pl.DataFrame:
        if self.newest is None:
            return pl.DataFrame(
                schema={
                    "chunk_id": pl.String,
                    "token_count": pl.Int64,
                    "heading_path": pl.List(pl.String),
                }
            )
        return self.newest.chunks(chunk_ids, None)

    def _keep(self, shard: Shard) -> None:
        """What later parts need of a shard: little, so that many fit in memory."""
        if not shard.sound("vector_index"):
            return
        name = shard.partition
        self.stamps[name] = shard.stamps["vector_index"]
        self.manifests[name] = shard.frames["vector_index"]
        if self.newest is None or not shard.sound(*STAGES) or not all(map(shard.linked, STAGES)):
            return
        with suppress(IndexUnavailable):  # the version's own part says what is wrong
            self.facts[name] = _facts(shard, self.newest)


def _facts(shard: Shard, newest: VersionScan) -> ShardFacts:
    parsed = shard.frames["parsed_documents"]
    return ShardFacts(
        listed=shard.frames["raw_documents"].select("document_id"),
        states=parsed.select(
            "document_id",
            "status",
            "stale",
            wordy=pl.col("text").str.contains(r"[\p{L}\p{N}]").fill_null(False),
        ),
        chunks=shard.frames["chunks"].select("document_id", "chunk_id"),
        indexed=shard.frames["vector_index"].select("document_id", "chunk_id"),
        rows_in_index=newest.rows_where(f"partition = {quoted(shard.partition)}"),
    )
