"""Hybrid search in one snapshot: both legs at once, prefiltered, fused; rows only for the best."""

import json
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from rag_assets.platform.telemetry import Attribute, carried, step
from rag_assets.query.answer import Hit
from rag_assets.vector_index.reader import IndexReader, Leg

from .candidates import Candidates, union
from .fusion import best_first, fuse
from .snapshot import Snapshot


@dataclass(frozen=True)
class Query:
    """What is searched for.

    Attributes:
        texts: forms of the question for the full-text leg; the first is the question itself.
        vectors: float32, shape (n, dimensions): forms of the question for the dense leg.
        condition: SQL prefilter: rights and filter; ``None`` only for an admin without a filter.
        candidates: most chunks from each leg.
    """

    texts: Sequence[str]
    vectors: np.ndarray
    condition: str | None
    candidates: int


@dataclass(frozen=True)
class Found:
    """Candidates of one question with their fused scores.

    Attributes:
        candidates: both legs, side by side.
        scores: float64, fused, one a candidate.
        order: positions of the candidates, best first.
        timings_ms: of the legs and the fusion.
    """

    snapshot: Snapshot
    candidates: Candidates
    scores: np.ndarray
    order: np.ndarray
    timings_ms: dict[str, float] = field(default_factory=dict)

    def hits(self, limit: int) -> list[Hit]:
        """The best chunks with their texts."""
        return read_hits(self.snapshot.reader, self.candidates, self.scores, self.order[:limit])


def search(
    snapshot: Snapshot, query: Query, method: str, weight: float, executor: Executor
) -> Found:
    """Search both legs and fuse them.

    Args:
        snapshot: the release that answers.
        query: forms of the question, prefilter, depth.
        method, weight: of the fusion; see ``fusion.fuse``.
        executor: runs the full-text leg while the dense one is searched here.
    """
    started = time.perf_counter()
    reader, depth = snapshot.reader, query.candidates

    def full_text_leg(text: str) -> Leg:
        with step("search full text", _leg(snapshot, "full_text_search")):
            return reader.full_text(text, depth, query.condition)

    def dense_leg(vector: np.ndarray) -> Leg:
        with step("search vectors", _leg(snapshot, "vector_search")):
            return reader.dense(vector, depth, query.condition)

    pending = [executor.submit(carried(full_text_leg), text) for text in query.texts]
    dense = [dense_leg(vector) for vector in query.vectors]
    full_text = [leg.result() for leg in pending]
    searched = time.perf_counter()
    candidates = union(dense, full_text)
    scores = fuse(candidates, method, weight)
    order = best_first(candidates, scores)
    timings = {
        "legs": round((searched - started) * 1000, 3),
        "fusion": round((time.perf_counter() - searched) * 1000, 3),
    }
    return Found(snapshot, candidates, scores, order, timings)


def _leg(snapshot: Snapshot, operation: str) -> dict[str, Attribute]:
    return {
        "db.system.name": "lancedb",
        "db.operation.name": operation,
        "db.collection.name": snapshot.release.table_name,
    }


def read_hits(
    reader: IndexReader, candidates: Candidates, scores: np.ndarray, positions: np.ndarray
) -> list[Hit]:
    """The hits at some positions of the candidates, in that order."""
    rows = {
        row["_rowid"]: row
        for row in reader.rows(candidates.row_id[positions].tolist()).iter_rows(named=True)
    }
    return [
        make_hit(
            rows[int(candidates.row_id[position])],
            score=float(scores[position]),
            dense_score=_known(candidates.dense[position]),
            full_text_score=_known(candidates.full_text[position]),
        )
        for position in positions
    ]


def make_hit(row: dict[str, Any], **scores: float | None) -> Hit:
    """A hit from a row of the index."""
    values = {name: row[name] for name in Hit.__dataclass_fields__ if name in row}
    values["attributes"] = json.loads(row["attributes"] or "{}")
    return Hit(**{"score": 0.0, **values, **scores})


def hits_of(rows: pl.DataFrame) -> list[Hit]:
    """Hits from rows that were read for another reason than a search (score 0)."""
    return [make_hit(row) for row in rows.iter_rows(named=True)]


def _known(score: np.floating[Any]) -> float | None:
    return None if np.isnan(score) else float(score)
