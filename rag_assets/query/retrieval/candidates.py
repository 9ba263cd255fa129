"""What the two legs of a hybrid search found, side by side."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rag_assets.vector_index.reader import Leg


@dataclass(frozen=True)
class Candidates:
    """The union of the hits of both legs; every array and list has one entry a chunk.

    Attributes:
        row_id: uint64, Lance's row ids in the version that was searched.
        chunk_id, document_id: of the chunk.
        dense: float64 cosine similarity; NaN where the dense leg did not find the chunk.
        full_text: float64 BM25; NaN where the full-text leg did not find it.
    """

    row_id: np.ndarray
    chunk_id: list[str]
    document_id: list[str]
    dense: np.ndarray
    full_text: np.ndarray

    def __len__(self) -> int:
        return len(self.chunk_id)


def union(dense: list["Leg"], full_text: list["Leg"]) -> Candidates:
    """Merge legs by chunk; a chunk that several legs of a kind found keeps its best score.

    Args:
        dense, full_text: one leg for each form of the question (more than one after an expansion).
    """
    position: dict[int, int] = {}
    chunks: list[str] = []
    documents: list[str] = []
    kinds = (dense, full_text)
    found: tuple[dict[int, float], dict[int, float]] = ({}, {})
    for legs, scores in zip(kinds, found, strict=True):
        for leg in legs:
            entries = zip(leg.row_id, leg.chunk_id, leg.document_id, leg.score, strict=True)
            for row, chunk, document, score in entries:
                if row not in position:
                    position[row] = len(chunks)
                    chunks.append(chunk)
                    documents.append(document)
                if score > scores.get(row, -np.inf):
                    scores[row] = score
    columns = [np.array([scores.get(row, np.nan) for row in position]) for scores in found]
    rows = np.fromiter(position, dtype=np.uint64, count=len(position))
    return Candidates(rows, chunks, documents, *columns)
