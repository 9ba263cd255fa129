"""One thread makes a value; others that want the same wait for it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rag_assets.platform import interruption


class Flights:
    """Values that are being made in this process. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flying: dict[str, threading.Event] = {}

    def wait(self, key: str, seconds: float) -> bool:
        """Wait while somebody makes this value; whether anybody did.

        Raises:
            Interrupted: nobody waits for it any more.
        """
        with self._lock:
            landing = self._flying.get(key)
        if landing is None:
            return False
        interruption.wait(landing, seconds)
        return True

    @contextmanager
    def making(self, key: str) -> Iterator[bool]:
        """Say that this thread makes a value; gives whether it is the first to say so."""
        with self._lock:
            first = key not in self._flying
            if first:
                self._flying[key] = threading.Event()
        try:
            yield first
        finally:
            if first:
                with self._lock:
                    self._flying.pop(key).set()
