"""The vectors of a version: finite, of unit length, and those of their texts.

A vector is compared bit by bit with the one that ``embeddings`` keeps for its text. Where they
differ by more than two computations of the same may, the text is encoded again and decides. Where
nothing is kept any more, a sample is encoded again.
"""

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from rag_assets.embeddings.schema import embeddings_schema
from rag_assets.embeddings.transform import select_rows
from rag_assets.encoders import Encoder
from rag_assets.platform.errors import RaglineError, StorageError
from rag_assets.platform.platform import Platform
from rag_assets.platform.wording import counted
from rag_assets.releases.gates import MIN_AGREEMENT, UNIT_NORM_TOLERANCE

from .base import Findings, few

# the same text encoded in another batch differs by less, see encoders/base.py
SAME_COSINE = 0.999
SAMPLED = 32
# vectors that differ are looked into so many at a time
DISPUTED = 1024


# partition → embed_sha256 → digest of the vector that its table keeps
StoredVectors = dict[str, dict[str, bytes]]


@dataclass(frozen=True)
class Text:
    """A text of a row with its vector."""

    chunk_id: str
    embed_sha256: str
    embed_text: str
    partition: str
    vector: Any = field(compare=False)

    def kept(self) -> "Text":
        """A copy that does not hold on to the frame it is from."""
        return replace(self, vector=self.vector.copy())


def stored_vectors(platform: Platform, encoder: str, dimensions: int) -> StoredVectors:
    """Read the vectors of one encoder that the tables of all shards keep.

    Args:
        platform: the deployment.
        encoder: its fingerprint.
        dimensions: of its vectors; tables with others are left out.

    Returns:
        Per partition whose table can be read, digests by embed_sha256.
    """
    stored: StoredVectors = {}
    for partition in platform.tables.partitions("embeddings"):
        try:
            table = platform.tables.read("embeddings", partition, embeddings_schema(dimensions))
        except StorageError:
            continue  # the part that looks at the stage tables names it
        rows = table.filter(pl.col("encoder") == encoder)
        vectors = map(_digest, rows["vector"].to_numpy())
        stored[partition] = dict(zip(rows["embed_sha256"], vectors, strict=True))
    return stored


def is_unit(vectors: np.ndarray) -> np.ndarray:
    """Which vectors, shape (n, dimensions), are finite and of unit length: bool, shape (n,)."""
    with np.errstate(invalid="ignore", over="ignore"):
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
        return np.isfinite(vectors).all(axis=1) & (np.abs(lengths - 1) <= UNIT_NORM_TOLERANCE)


class VectorAudit:
    """Reads rows frame by frame and keeps those whose vectors are wrong, or have to be decided.

    Args:
        platform: the deployment.
        stored: what the tables keep for the version's encoder.
        encoder: the version's; the reason as an error where it cannot be made any more.
        findings: told of vectors that are wrong in the tables.
    """

    def __init__(
        self,
        platform: Platform,
        stored: StoredVectors,
        encoder: Encoder | RaglineError,
        findings: Findings,
    ) -> None:
        self._platform = platform
        self._stored = stored
        self._encoder = encoder
        self._findings = findings
        self._disputed: list[Text] = []
        self._sample: list[tuple[int, str, Text]] = []  # a heap: the texts of least hash
        self._blamed: dict[str, set[str]] = defaultdict(set)
        self.wrong: dict[str, str] = {}  # chunk_id → why
        self.compared = 0
        self.encoded = 0

    def feed(self, rows: pl.DataFrame) -> None:
        """Look at some rows (chunk_id, embed_sha256, embed_text, partition, vector)."""
        vectors = rows["vector"].to_numpy()
        sound = is_unit(vectors)
        names = rows.select("chunk_id", "embed_sha256", "embed_text", "partition").iter_rows()
        for name, vector, fine in zip(names, vectors, sound, strict=True):
            chunk, sha256, text, partition = name
            known = self._stored.get(partition, {}).get(sha256)
            self.compared += known is not None
            if not fine:
                self.wrong[chunk] = "not finite, or not of unit length"
            elif known is None:
                self._maybe_sample(Text(chunk, sha256, text, partition, vector))
            elif _digest(vector) != known:
                item = Text(chunk, sha256, text, partition, vector)
                self._disputed.append(item.kept())
        if len(self._disputed) >= DISPUTED:
            self._decide()

    def close(self, lost: Iterable[str] = ()) -> dict[str, str]:
        """Decide what is left: chunk_id → what is wrong with its vector.

        Args:
            lost: chunk_ids of rows that could not be read to their end.
        """
        self._decide()
        texts = [item for _, _, item in self._sample]
        for text, again in zip(texts, self._encode(texts), strict=False):
            if not _cosine(text.vector, again) >= MIN_AGREEMENT:
                self.wrong[text.chunk_id] = "not the vector of its text"
        self._sample = []
        self._name_blamed()
        for chunk in lost:
            self.wrong.pop(chunk, None)
        return self.wrong

    def _maybe_sample(self, text: Text) -> None:
        order = -int(hashlib.sha256(text.chunk_id.encode()).hexdigest()[:12], 16)
        if len(self._sample) < SAMPLED:
            heapq.heappush(self._sample, (order, text.chunk_id, text.kept()))
        elif order > self._sample[0][0]:
            heapq.heapreplace(self._sample, (order, text.chunk_id, text.kept()))

    def _decide(self) -> None:
        """Look into vectors that are not the stored ones, bit by bit."""
        disputed, self._disputed = self._disputed, []
        partitions = {item.partition for item in disputed}
        kept = {name: self._kept(name, disputed) for name in partitions}
        pairs = [(item, kept[item.partition].get(item.embed_sha256)) for item in disputed]
        apart = [
            (item, other)
            for item, other in pairs
            if other is not None and not _cosine(item.vector, other) >= SAME_COSINE
        ]
        again = self._encode([item for item, _ in apart])
        for (item, other), vector in zip(apart, again, strict=False):
            if not _cosine(item.vector, vector) >= MIN_AGREEMENT:
                self.wrong[item.chunk_id] = "not the vector of its text"
            if not _cosine(other, vector) >= MIN_AGREEMENT:
                self._blamed[item.partition].add(item.embed_sha256)

    def _kept(self, partition: str, disputed: list[Text]) -> dict[str, Any]:
        if isinstance(self._encoder, RaglineError):
            return {}
        hashes = sorted({item.embed_sha256 for item in disputed if item.partition == partition})
        schema = embeddings_schema(self._encoder.dimensions)
        table = self._platform.tables.read("embeddings", partition, schema).lazy()
        found = select_rows([table], hashes, self._encoder.fingerprint)
        if found is None:
            return {}
        return dict(zip(found["embed_sha256"], found["vector"].to_numpy(), strict=True))

    def _name_blamed(self) -> None:
        for partition, texts in sorted(self._blamed.items()):
            self._findings.add(
                "wrong_stored_vectors",
                f"tables/embeddings/{partition}.parquet",
                counted(
                    len(texts),
                    "vector is not that of its text",
                    "vectors are not those of their texts",
                ),
                ids=tuple(sorted(texts)),
                asset="embeddings",
                partition=partition,
            )

    def _encode(self, texts: list[Text]) -> Any:
        """Vectors of texts, encoded again; none where the encoder cannot be made."""
        if not texts:
            return []
        if isinstance(self._encoder, RaglineError):
            names = few([item.chunk_id for item in texts])
            self._findings.skipped.append(f"vectors of {names}: {self._encoder.message}")
            return []
        self.encoded += len(texts)
        return self._encoder.encode([item.embed_text for item in texts])


def _digest(vector: Any) -> bytes:
    content: bytes = np.asarray(vector, np.float32).tobytes()
    return hashlib.blake2b(content, digest_size=8).digest()


def _cosine(one: Any, other: Any) -> float:
    return float(np.dot(one, other))
