"""One version of the index against the registry, the index manifests and its own hashes."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from rag_assets.encoders import Encoder
from rag_assets.platform.errors import IndexUnavailable, RaglineError
from rag_assets.platform.fingerprint import fingerprint, frame_digest
from rag_assets.platform.platform import Platform
from rag_assets.platform.wording import counted
from rag_assets.vector_index.schema import INDEX_ROWS

from .base import Findings, Kind, Progress, few
from .rows import KEYS, RowAudit, reasons
from .scan import Fragment, VersionScan
from .search_indices import Truth, check_indices, report_indices
from .vectors import StoredVectors, VectorAudit


@dataclass(frozen=True)
class Expected:
    """What a version should hold.

    Attributes:
        place: how people call it.
        release_id: None for the newest version of the present table.
        table: its table.
        chunks, documents: as the registry counts them.
        partitions: digest of every shard.
        manifest_sha256: empty where nothing is recorded.
        configuration: fingerprint of the index.
        manifests: index manifests of the shards whose tables are in this version's state.
    """

    place: str
    release_id: int | None
    table: str
    chunks: int
    documents: int
    partitions: dict[str, str]
    manifest_sha256: str
    configuration: str
    manifests: dict[str, pl.DataFrame] = field(repr=False, default_factory=dict)

    @property
    def listed(self) -> pl.DataFrame | None:
        """chunk_id, document_id, row_sha256 of every row, where all shards are in this state."""
        if set(self.manifests) != set(self.partitions):
            return None
        empty = {"chunk_id": pl.String, "document_id": pl.String, "row_sha256": pl.String}
        frames = [pl.DataFrame(schema=empty), *self.manifests.values()]
        return pl.concat([frame.select(list(empty)) for frame in frames])


@dataclass(frozen=True)
class Versions:
    """What the audit of every version needs.

    Attributes:
        platform: the deployment.
        findings: told what disagrees.
        progress: told how far it is.
    """

    platform: Platform
    findings: Findings
    progress: Progress

    def audit(
        self,
        reader: VersionScan,
        expected: Expected,
        stored: StoredVectors,
        encoder: Encoder | RaglineError,
    ) -> None:
        """Read every row of a version and name what disagrees.

        Args:
            reader: of the version.
            expected: what it should hold.
            stored: vectors that the tables keep, of the version's encoder.
            encoder: the version's, or why it cannot be made.
        """
        if set(reader.columns) != {*INDEX_ROWS, "vector"}:
            self._counted(reader, expected)
            return
        rows, truth = RowAudit(), Truth()
        vectors = VectorAudit(self.platform, stored, encoder, self.findings)
        lost, unread = self._read(reader, expected, rows, vectors, truth)
        keys = rows.close()
        wrong = vectors.close(unread - set(keys["chunk_id"]))
        _Report(expected, self.findings, keys, rows.problems, lost).run(wrong)
        if not lost:
            found = check_indices(self.platform, reader, expected.table, truth, keys.height)
            report_indices(found, expected.place, expected.release_id, self.findings)
        self.findings.count("versions", 1)
        self.findings.count("rows", keys.height)
        self.findings.count("vectors", vectors.compared)
        self.findings.count("texts_encoded_again", vectors.encoded)
        self.findings.count("search_indices", len(reader.search_indices()))

    def _read(
        self,
        reader: VersionScan,
        expected: Expected,
        rows: RowAudit,
        vectors: VectorAudit,
        truth: Truth,
    ) -> tuple[list[Fragment], set[str]]:
        """Feed every row; the fragments that cannot be read, and the rows they gave before that."""
        lost, unread, done = [], set(), 0
        total = sum(digest.height for digest in expected.manifests.values()) or expected.chunks
        for fragment in reader.fragments():
            part = RowAudit()
            try:
                for frame in reader.stream(fragment):
                    part.feed(frame)
                    vectors.feed(frame)
                    truth.feed(frame)
                    done += frame.height
                    self.progress(f"reading {expected.place}", done, max(total, done))
            except IndexUnavailable:
                lost.append(fragment)
                unread |= set(part.close()["chunk_id"])
            else:
                rows.merge(part)
        return lost, unread

    def _counted(self, reader: VersionScan, expected: Expected) -> None:
        """Compare the counts of a version that was made with other columns, by another version."""
        found = reader.count()
        self.findings.skipped.append(
            f"{expected.place} was made by another version of Ragline: its rows are only counted"
        )
        if found != expected.chunks:
            self.findings.add(
                "lost_rows" if found < expected.chunks else "extra_rows",
                expected.place,
                f"{counted(found, 'row')} instead of {expected.chunks}",
                release_id=expected.release_id,
            )


@dataclass
class _Report:
    """Names what is wrong with a version's rows; what follows from something named is not named."""

    expected: Expected
    findings: Findings
    keys: pl.DataFrame
    problems: dict[str, set[str]]
    lost: list[Fragment]

    def run(self, wrong_vectors: dict[str, str]) -> None:
        if self.lost:
            self._lost_fragments()
        listed = self.expected.listed
        missing = self._missing() if not self.lost else []
        extra = self._extra(listed)
        twice = self.keys.filter(pl.col("chunk_id").is_duplicated())["chunk_id"].unique().sort()
        self._compare_with_manifests()
        self._named("lost_rows", missing, "rows that the index manifest lists are not there")
        self._named("extra_rows", extra, "rows are not in the index manifest")
        self._named("duplicate_rows", twice.to_list(), "chunks are there more than once")
        edited = {chunk: names for chunk, names in self.problems.items() if chunk not in extra}
        self._named("edited_rows", sorted(edited), f"rows were altered: {reasons(edited)}")
        why = Counter(wrong_vectors.values())
        text = "; ".join(f"{number} {what}" for what, number in why.items())
        self._named("wrong_vectors", sorted(wrong_vectors), f"vectors are wrong: {text}")
        named = {*missing, *extra, *twice, *edited}
        if not self.lost and not self._digests(named) and not named:
            self._totals()

    def _add(self, kind: Kind, what: str, ids: list[str], **more: Any) -> None:
        self.findings.add(
            kind,
            self.expected.place,
            what,
            release_id=self.expected.release_id,
            ids=tuple(ids),
            **more,
        )

    def _named(self, kind: Kind, ids: list[str], what: str) -> None:
        if ids:
            self._add(kind, f"{len(ids)} {what}: {few(ids)}", ids)

    def _missing(self) -> list[str]:
        found: list[str] = []
        for frame in self.expected.manifests.values():
            found += frame.join(self.keys, on="chunk_id", how="anti")["chunk_id"].to_list()
        return sorted(found)

    def _extra(self, listed: pl.DataFrame | None) -> list[str]:
        if listed is None:
            return []
        return self.keys.join(listed, on="chunk_id", how="anti")["chunk_id"].sort().to_list()

    def _compare_with_manifests(self) -> None:
        """Rows that are sound in themselves, and yet not those that were written."""
        for frame in self.expected.manifests.values():
            both = frame.select("chunk_id", listed="row_sha256").join(self.keys, on="chunk_id")
            for chunk in both.filter(pl.col("listed") != pl.col("row_sha256"))["chunk_id"]:
                self.problems.setdefault(chunk, set()).add("manifest")

    def _lost_fragments(self) -> None:
        names = [f"data/{name}" for fragment in self.lost for name in fragment.files]
        missing = self._missing()
        listed = self.expected.listed
        if listed is None:
            total = self.expected.chunks - self.keys.height
            self._add(
                "lost_fragment",
                f"{few(names)} cannot be read; {counted(total, 'chunk is', 'chunks are')} lost",
                names,
            )
            return
        gone = listed.filter(
            pl.col("chunk_id").is_in(pl.Series(missing, dtype=pl.String).implode())
        )
        documents = gone["document_id"].unique().sort().to_list()
        what = (
            f"{few(names)} cannot be read; {counted(len(missing), 'chunk')} of "
            f"{counted(len(documents), 'document')} lost: {few(documents)}"
        )
        self._add("lost_fragment", what, names)

    def _digests(self, named: set[str]) -> bool:
        """Compare every shard's digest; whether one differs. Named rows explain their shard's."""
        shards = {str(key[0]): frame for key, frame in self.keys.group_by("partition")}
        differ, unexplained = False, []
        for partition in sorted({*shards, *self.expected.partitions}):
            rows = shards.get(partition, self.keys.clear()).select(KEYS)
            wanted = self.expected.partitions.get(partition)
            if wanted is None or _digest(rows) != wanted:
                differ = True
                listed = self.expected.manifests.get(partition, rows)
                if named.isdisjoint(rows["chunk_id"]) and named.isdisjoint(listed["chunk_id"]):
                    unexplained.append(partition)
        if unexplained:
            what = f"the rows of {few(unexplained)} are not those that were released"
            self._add("shard_digest", what, unexplained)
        return differ

    def _totals(self) -> None:
        expected = self.expected
        chunks, documents = self.keys.height, self.keys["document_id"].n_unique()
        if (chunks, documents) != (expected.chunks, expected.documents):
            self._add(
                "registry_counts",
                f"{counted(chunks, 'chunk')} of {counted(documents, 'document')}, the registry says "
                f"{expected.chunks} of {expected.documents}",
                [],
                counted={"chunks": chunks, "documents": documents},
            )
        if not expected.manifest_sha256:
            return
        portable = sorted(self.keys["portable_sha256"].to_list())
        found = fingerprint({"rows": portable, "configuration": expected.configuration})
        if found != expected.manifest_sha256:
            what = f"the rows give the manifest hash {found[:16]}…, the registry has "
            what += f"{expected.manifest_sha256[:16]}…"
            self._add("manifest_hash", what, [], counted={"manifest_sha256": found})


def _digest(rows: pl.DataFrame) -> str:
    """The digest of a shard's rows, as its index stage computes it."""
    return frame_digest(rows, ["chunk_id", "row_sha256"], ["chunk_id"])
