"""The gates a candidate must pass: pure functions from facts to verdicts that explain themselves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl

from rag_assets.platform.platform import Platform
from rag_assets.platform.wording import counted

from .registry import Candidate, Release

UNIT_NORM_TOLERANCE = 1e-3
MIN_ANN_RECALL = 0.95
# the same text on another machine or in another batch differs by less
MIN_AGREEMENT = 0.99


@dataclass(frozen=True)
class Gate:
    """The verdict of one gate.

    Attributes:
        name: of the asset check.
        passed: whether the candidate satisfies it.
        explanation: one sentence with the numbers that decided.
        metadata: the numbers, for plots.
        severity: a gate of severity ``warn`` is shown and stops nothing.
        judged: False when there was nothing to judge by; then it is neither passed nor a failure.
        report: Markdown for people who want to see why.
    """

    name: str
    passed: bool
    explanation: str
    metadata: dict[str, Any] = field(default_factory=dict)
    severity: Literal["error", "warn"] = "error"
    judged: bool = True
    report: str = ""

    @property
    def blocks(self) -> bool:
        """Whether the candidate must not be promoted."""
        return not self.passed and self.severity == "error"

    @property
    def verdict(self) -> str:
        """passed, failed, warned or not_judged."""
        if not self.judged:
            return "not_judged"
        return "passed" if self.passed else "failed" if self.blocks else "warned"


def not_judged(name: str, why: str) -> Gate:
    """A gate that had nothing to judge by: visible, and no obstacle."""
    return Gate(name, False, f"not judged: {why}", {}, "warn", judged=False)


@dataclass(frozen=True)
class FurtherGates:
    """Gates that rooms after this one know how to judge.

    Attributes:
        descriptions: of every gate, by the name of its asset check.
        deps: assets that must come before the release.
        judge: given the platform and a candidate, the verdicts, one for each description.
        fingerprint: of what the verdicts depend on besides the candidate (questions, margins): what
            was rejected with the same is not judged again.
        describe: given the platform, a release and the one that was live before it, what else a
            person wants to see beside the verdicts: Dagster metadata by name.
    """

    descriptions: Mapping[str, str] = field(default_factory=dict)
    deps: tuple[str, ...] = ()
    judge: Callable[[Platform, Candidate], list[Gate]] = lambda platform, candidate: []
    fingerprint: Callable[[Platform], str] = lambda platform: ""
    describe: Callable[[Platform, Release, Release | None], dict[str, Any]] = (
        lambda platform, release, before: {}
    )


@dataclass(frozen=True)
class ShardFacts:
    """What the tables of one shard say, for the conservation gate.

    Attributes:
        listed: document ids of the manifest.
        states: document_id, status, stale, wordy (of parsed_documents; wordy: the text that serves
            has a letter or a digit).
        chunks: document_id, chunk_id (of chunks).
        indexed: document_id, chunk_id (of the shard's index manifest).
        rows_in_index: rows that LanceDB counts for the shard.
    """

    listed: pl.DataFrame
    states: pl.DataFrame
    chunks: pl.DataFrame
    indexed: pl.DataFrame
    rows_in_index: int


def conservation(shards: Mapping[str, ShardFacts]) -> Gate:
    """Every listed document is in exactly one state; every indexed chunk has one live document.

    Args:
        shards: the facts of every shard by partition key.
    """
    problems: list[str] = []
    totals = {"listed": 0, "indexed": 0, "empty": 0, "quarantined": 0, "chunks": 0}
    for name, shard in shards.items():
        problems += [f"{name}: {problem}" for problem in _shard_problems(shard)]
        states = shard.states["status"]
        totals["listed"] += shard.listed.height
        # a text without anything the encoder sees has no chunk: to readers it is empty
        parsed = shard.states.filter(pl.col("status") == "parsed")
        indexed = parsed.join(shard.indexed, on="document_id", how="semi").height
        totals["indexed"] += indexed
        totals["empty"] += int((states == "empty").sum()) + parsed.height - indexed
        totals["quarantined"] += int((states == "quarantined").sum())
        totals["chunks"] += shard.indexed.height
    accounted = totals["indexed"] + totals["empty"] + totals["quarantined"]
    if accounted != totals["listed"]:
        problems.append(
            f"{counted(totals['listed'], 'document')} listed, {accounted} accounted for"
        )
    text = "; ".join(problems[:5]) or (
        f"{counted(totals['listed'], 'document')} listed = {totals['indexed']} indexed + {totals['empty']} "
        f"empty + {totals['quarantined']} quarantined; {counted(totals['chunks'], 'chunk')}"
    )
    return Gate("conservation", not problems, text, totals)


def _shard_problems(shard: ShardFacts) -> list[str]:
    problems = []
    for label, frame in (("listed", shard.listed), ("parsed", shard.states)):
        if frame["document_id"].n_unique() != frame.height:
            problems.append(f"a document is {label} twice")
    only_listed = shard.listed.join(shard.states, on="document_id", how="anti").height
    only_parsed = shard.states.join(shard.listed, on="document_id", how="anti").height
    if only_listed or only_parsed:
        problems.append(
            f"{counted(only_listed, 'listed document has', 'listed documents have')} no state, "
            f"{counted(only_parsed, 'state has', 'states have')} no document"
        )
    serving = shard.states.filter((pl.col("status") == "parsed") | pl.col("stale"))
    homeless = shard.indexed.join(serving, on="document_id", how="anti").height
    if homeless:
        chunks = counted(homeless, "indexed chunk belongs", "indexed chunks belong")
        problems.append(f"{chunks} to no live document")
    lost = shard.chunks.join(shard.indexed, on="chunk_id", how="anti").height
    extra = shard.indexed.join(shard.chunks, on="chunk_id", how="anti").height
    if lost or extra:
        problems.append(
            f"{counted(lost, 'chunk is', 'chunks are')} not indexed, "
            f"{counted(extra, 'indexed row has', 'indexed rows have')} no chunk"
        )
    silent = serving.filter("wordy").join(shard.chunks, on="document_id", how="anti").height
    if silent:
        documents = counted(silent, "document with words has", "documents with words have")
        problems.append(f"{documents} no chunk")
    if shard.rows_in_index != shard.indexed.height:
        problems.append(
            f"the index holds {counted(shard.rows_in_index, 'row')}, its manifest {shard.indexed.height}"
        )
    return problems


def index_integrity(
    *, rows: int, expected: int, indices: Mapping[str, Mapping[str, int | str]], vectors: np.ndarray
) -> Gate:
    """Rows, vectors and the full-text index agree with the manifest.

    Args:
        rows: rows of the LanceDB table.
        expected: rows of all shards' manifests.
        indices: per indexed column, rows indexed and not yet indexed.
        vectors: a sample of stored vectors, shape (n, dimensions).
    """
    problems = []
    if rows != expected:
        problems.append(f"the table holds {counted(rows, 'row')}, the manifests {expected}")
    full_text = indices.get("embed_text")
    if rows and full_text is None:
        problems.append("there is no full-text index")
    elif full_text is not None:
        covered = int(full_text["indexed"]) + int(full_text["unindexed"])
        if covered < rows:
            problems.append(f"the full-text index knows {covered} of {counted(rows, 'row')}")
    if not np.isfinite(vectors).all():
        problems.append("a stored vector is not finite")
    elif len(vectors):
        error = float(np.abs(np.linalg.norm(vectors, axis=1) - 1).max())
        if error > UNIT_NORM_TOLERANCE:
            problems.append(f"a stored vector's length is off by {error:.3g}")
    text = "; ".join(problems) or (
        f"{counted(rows, 'row')}, {counted(len(vectors), 'vector')} sampled, all consistent"
    )
    metadata = {"rows": rows, "expected_rows": expected, "vectors_sampled": len(vectors)}
    return Gate("index_integrity", not problems, text, metadata)


def ann_recall(exact: list[list[str]], approximate: list[list[str]]) -> Gate:
    """The vector index finds what an exact scan finds.

    Args:
        exact, approximate: per probe, the nearest chunk_ids; empty without a vector index.
    """
    if not exact:
        return Gate(
            "ann_recall", True, "no vector index yet: every search is exact", {"recall": 1.0}
        )
    shares = [
        len(set(truth) & set(found)) / len(truth)
        for truth, found in zip(exact, approximate, strict=True)
        if truth
    ]
    recall = float(np.mean(shares)) if shares else 1.0
    text = f"recall@{len(exact[0])} {recall:.3f} against exact search, at least {MIN_ANN_RECALL}"
    return Gate("ann_recall", recall >= MIN_ANN_RECALL, text, {"recall": recall})


def encoder_agreement(stored: np.ndarray, encoded: np.ndarray) -> Gate:
    """The stored vectors are those of their texts.

    Args:
        stored, encoded: vectors of the index, and of the same texts encoded again; shape
            (n, dimensions), unit length.
    """
    name = "encoder_agreement"
    if not len(stored):
        return not_judged(name, "the index holds no vectors")
    cosines = np.einsum("ij,ij->i", stored, encoded)
    wrong = int((~(cosines >= MIN_AGREEMENT)).sum())  # a NaN is wrong too
    least = float(np.nanmin(cosines)) if np.isfinite(cosines).any() else 0.0
    text = (
        f"{len(stored) - wrong} of {len(stored)} sampled vectors are those of their texts; the least "
        f"cosine is {least:.4f}, at least {MIN_AGREEMENT} is wanted"
    )
    metadata = {"sampled": len(stored), "wrong": wrong, "least_cosine": least}
    return Gate(name, wrong == 0, text, metadata)


def quarantine_share(states: pl.DataFrame, limit: float) -> Gate:
    """Not too many documents are in quarantine.

    Args:
        states: status and error_kind of every document.
        limit: the largest share that may be quarantined.
    """
    failed = states.filter(pl.col("status") == "quarantined")
    share = failed.height / states.height if states.height else 0.0
    kinds = failed.group_by("error_kind").len().sort("len", descending=True)
    reasons = ", ".join(f"{count} {kind}" for kind, count in kinds.iter_rows())
    documents = counted(states.height, "document")
    text = f"{failed.height} of {documents} quarantined ({share:.1%}, at most {limit:.1%})"
    text += f": {reasons}" if reasons else ""
    metadata = {"share": share, "quarantined": failed.height, "limit": limit}
    return Gate("quarantine_share", share <= limit, text, metadata)
