"""What a local file system says of a file, and how far it can be trusted."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote_from_bytes

from .base import NO_TIME

_FINE_CLOCK_NS = 20_000_000  # the kernel stamps files with a clock that ticks every 1-10 ms
_COARSE_CLOCK_NS = 2_000_000_000  # FAT, some network mounts


def absolute_path(path: str) -> str:
    """The absolute form of a path, ``~`` expanded."""
    # not resolved: URIs show the path that the settings name
    return os.path.normpath(Path(path).expanduser().absolute())


def file_uri(path: str) -> str:
    """The ``file://`` URI of an absolute path, whatever bytes it is made of."""
    return "file://" + quote_from_bytes(os.fsencode(path))


def signature_of(status: os.stat_result) -> str:
    """What a file is known by without being read."""
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_ino}"


def is_settled(status: os.stat_result, read_at: int) -> bool:
    """Whether a write after ``read_at`` (ns) is certain to change the signature.

    The rule of git: a file stamped in the same tick of the clock as the read could change once
    more within that tick and keep its size and times.
    """
    tick = _FINE_CLOCK_NS if status.st_mtime_ns % 1_000_000_000 else _COARSE_CLOCK_NS
    if status.st_ctime_ns > read_at - tick:
        return False
    # a time far in the future was set by hand; the change time, which cannot be, has settled it
    return not read_at - tick < status.st_mtime_ns < read_at + _COARSE_CLOCK_NS


def changed_at_of(status: os.stat_result) -> datetime:
    """When a file was last changed: its bytes, its name, its rights or its times.

    The change time cannot be set by hand, as ``cp -p`` sets the other; it is missing where a file
    system does not keep one. A modification time far after it was set by hand and says nothing.
    """
    latest = status.st_ctime_ns
    if status.st_mtime_ns <= latest + _COARSE_CLOCK_NS:
        latest = max(latest, status.st_mtime_ns)
    return _moment(latest)


def modified_at_of(status: os.stat_result) -> datetime:
    """The modification time, in microseconds; times that a date cannot hold are clamped."""
    return _moment(status.st_mtime_ns)


def _moment(nanoseconds: int) -> datetime:
    try:
        return NO_TIME + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if nanoseconds > 0 else NO_TIME
