"""The protocol of stores, and the one that lives in the process.

A store keeps bytes under a key for a while. It may forget anything at any time, and it never raises:
whatever is wrong with it costs a caller the time of making the value anew. ``claim`` says who makes a
value that several want at the same time; a claim ends by itself after some seconds.
"""

import threading
from typing import Protocol

from cachetools import TTLCache


class Store(Protocol):
    """See the module's docstring."""

    def get(self, key: str) -> bytes | None: ...
    def set(self, key: str, value: bytes) -> None: ...
    def claim(self, key: str, seconds: float) -> bool: ...
    def release(self, key: str) -> None: ...
    def clear(self) -> None: ...


class MemoryStore:
    """Keeps values in the memory of this process; the least recently used one goes first.

    Args:
        entries: most values.
        seconds: how long a value is kept.
    """

    def __init__(self, entries: int, seconds: float) -> None:
        self._lock = threading.Lock()
        self._values: TTLCache[str, bytes] = TTLCache(entries, seconds)

    def get(self, key: str) -> bytes | None:
        """The value, if it is still there."""
        with self._lock:
            return self._values.get(key)

    def set(self, key: str, value: bytes) -> None:
        """Keep a value."""
        with self._lock:
            self._values[key] = value

    def claim(self, key: str, seconds: float) -> bool:
        """Nobody else: other threads of this process wait for each other before they come here."""
        return True

    def release(self, key: str) -> None:
        """Nothing was claimed."""

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
