"""Inter-process locks under the local state folder; the operating system frees them on a crash."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from .errors import AlreadyRunning


@contextmanager
def exclusive(folder: Path, name: str, *, doing: str, timeout: float = 0.0) -> Iterator[None]:
    """Hold the lock ``name`` while the block runs.

    Args:
        folder: where the lock files live.
        name: what is locked, e.g. ``ingest`` or ``shard-handbook``.
        doing: what the holder is doing, for the message that another process shows.
        timeout: seconds to wait for the lock; 0 fails at once.

    Raises:
        AlreadyRunning: another process holds the lock; names it and says what to do.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    note = folder / f"{name}.json"
    lock = FileLock(folder / f"{name}.lock", is_singleton=True)
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        raise AlreadyRunning(
            f"Another process is at work on '{name}'{_holder(note)}.",
            "Wait until it has finished, or stop it, and run the command again.",
        ) from None
    try:
        holder = {"pid": os.getpid(), "since": datetime.now(UTC).isoformat(), "doing": doing}
        note.write_text(json.dumps(holder))
        yield
    finally:
        lock.release()


def _holder(note: Path) -> str:
    try:
        holder = json.loads(note.read_text())
        return f" (process {holder['pid']}, {holder['doing']}, since {holder['since']})"
    except (OSError, ValueError, KeyError):
        return ""
