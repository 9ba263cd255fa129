"""What was left out or replaced because something failed, counted for the life of a process."""

import threading
from collections import Counter


class Degradations:
    """Counts by name, e.g. ``llm_timeout``; safe to use from several threads."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, name: str) -> str:
        """Count one and give the name back."""
        with self._lock:
            self._counts[name] += 1
        return name

    def counts(self) -> dict[str, int]:
        """How often each happened."""
        with self._lock:
            return dict(self._counts)
