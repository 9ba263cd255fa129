"""The time limit of one request, also over bytes that are no tokens (keep-alive comments)."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2


class DeadlinePassed(Exception):
    """The request took longer than it may in all."""


class Deadline:
    """A point in time after which a request is given up.

    Args:
        seconds: from now.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """Seconds that are left; at least a millisecond, as a time-out of zero has other meanings."""
        return max(0.001, self._end - time.monotonic())

    def check(self) -> None:
        """Raise ``DeadlinePassed`` when the time is over."""
        if time.monotonic() >= self._end:
            raise DeadlinePassed


def bound_response(response: "httpx2.Response", deadline: Deadline) -> None:
    """Let every read of a response's body check the deadline."""
    import httpx2

    inner = response.stream
    if not isinstance(inner, httpx2.SyncByteStream):
        return

    class Bounded(httpx2.SyncByteStream):
        def __init__(self, stream: httpx2.SyncByteStream) -> None:
            self._stream = stream

        def __iter__(self) -> Iterator[bytes]:
            for piece in self._stream:
                deadline.check()
                yield piece

        def close(self) -> None:
            self._stream.close()

    response.stream = Bounded(inner)
