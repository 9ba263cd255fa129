"""Remembers the token vectors of texts, least recently used out first, within a number of bytes."""

import hashlib
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


ENTRY_BYTES = 300  # about what Python needs beside the numbers


class TokenVectorCache:
    """A bounded map from texts to arrays. Safe to use from several threads.

    Args:
        max_bytes: most bytes of all entries together; a larger array is not kept at all.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[bytes, np.ndarray] = OrderedDict()
        self._using = threading.Lock()

    @property
    def size_bytes(self) -> int:
        """Bytes of the entries that are kept."""
        return self._bytes

    def get(self, text: str) -> "np.ndarray | None":
        """The array of a text, or ``None``."""
        key = _key(text)
        with self._using:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, text: str, array: "np.ndarray") -> None:
        """Keep the array of a text and drop the least recently used ones that no longer fit."""
        key = _key(text)
        with self._using:
            replaced = self._kept.pop(key, None)
            self._bytes -= 0 if replaced is None else _size(replaced)
            if _size(array) > self._max_bytes:
                return
            self._kept[key] = array
            self._bytes += _size(array)
            while self._bytes > self._max_bytes:
                self._bytes -= _size(self._kept.popitem(last=False)[1])


def _size(array: "np.ndarray") -> int:
    return array.nbytes + ENTRY_BYTES


def _key(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
