"""Remembers the vectors of sentences: features, answer and citations compare the same ones."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rag_assets.encoders import Encoder
    from rag_assets.encoders.base import Progress

CAPACITY = 4096  # texts: 6 MB at 384 dimensions


class RememberedVectors:
    """An encoder for sentences that keeps the latest vectors. Safe to use from several threads.

    Everything but ``encode`` is the encoder's own.

    Args:
        encoder: makes the vectors.
        capacity: most texts that are kept.
    """

    def __init__(self, encoder: "Encoder", capacity: int = CAPACITY) -> None:
        self._encoder = encoder
        self._capacity = capacity
        self._kept: OrderedDict[str, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> object:
        return getattr(self._encoder, name)

    def encode(self, texts: Sequence[str], progress: "Progress | None" = None) -> np.ndarray:
        """As the encoder's; texts that are still known are not encoded again."""
        with self._lock:
            known = {text: self._kept[text] for text in texts if text in self._kept}
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        if missing:
            known.update(zip(missing, self._encoder.encode(missing), strict=True))
        if progress is not None:
            progress(len(texts))
        self._keep(known)
        if not texts:
            return self._encoder.encode([])
        return np.stack([known[text] for text in texts])

    def _keep(self, vectors: dict[str, np.ndarray]) -> None:
        with self._lock:
            for text, vector in vectors.items():
                self._kept[text] = vector
                self._kept.move_to_end(text)
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
