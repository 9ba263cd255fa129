"""An encoder for tests of invariants: words hashed into a vector, nothing learned."""

import zlib
from collections.abc import Sequence

import numpy as np

from rag_assets.encoders.base import Progress


class HashedWords:
    """Unit vectors of word counts; counts what it encodes."""

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray:
        self.encoded.extend(texts)
        vectors = np.full((len(texts), 64), 1e-3, dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in text.casefold().split():
                row[zlib.crc32(word.encode("utf-8", "replace")) % 64] += 1
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.ascontiguousarray(vectors / norms)
