"""Vectors of questions, kept by the encoder that made them and the text."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from rag_assets.encoders import Encoder

from .store import Store


class Vectors:
    """Encodes questions that are not known yet.

    Args:
        store: where vectors are kept.
        count: told ``hit`` or ``miss`` for each text.
    """

    def __init__(self, store: Store, count: Callable[[str], None]) -> None:
        self._store = store
        self._count = count

    def encode(self, encoder: Encoder, texts: Sequence[str]) -> np.ndarray:
        """As ``Encoder.encode``."""
        keys = [_key(encoder, text) for text in texts]
        found = [_vector(self._store.get(key), encoder.dimensions) for key in keys]
        missing = [position for position, vector in enumerate(found) if vector is None]
        for vector in found:
            self._count("miss" if vector is None else "hit")
        if missing:
            made = encoder.encode([texts[position] for position in missing])
            for position, vector in zip(missing, made, strict=True):
                self._store.set(keys[position], vector.tobytes())
                found[position] = vector
        return np.stack([vector for vector in found if vector is not None])


def _key(encoder: Encoder, text: str) -> str:
    hashed = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    return f"vector:{encoder.fingerprint}:{hashed}"


def _vector(content: bytes | None, dimensions: int) -> np.ndarray | None:
    if content is None or len(content) != 4 * dimensions:
        return None
    return np.frombuffer(content, dtype=np.float32)
