"""Work whose result nobody waits for any more: what blocks looks here now and then, and ends early.

Whoever runs work in a thread gives it an event (``following``) and sets it when the caller has gone.
Code that never blocks for long need not know of it.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LOOK_SECONDS = 0.1

_current: ContextVar[threading.Event | None] = ContextVar("ragline_interruption", default=None)


class Interrupted(BaseException):
    """Nobody waits any more. No ``Exception``: no library is to take it for a failure and go on."""


@contextmanager
def following(event: threading.Event) -> Iterator[None]:
    """End what is done inside, in this context, soon after the event is set."""
    token = _current.set(event)
    try:
        yield
    finally:
        _current.reset(token)


def may_happen() -> bool:
    """Whether somebody could say that nobody waits any more."""
    return _current.get() is not None


def check() -> None:
    """Raise ``Interrupted`` when nobody waits any more."""
    event = _current.get()
    if event is not None and event.is_set():
        raise Interrupted


def sleep(seconds: float) -> None:
    """Sleep, unless nobody waits any more.

    Raises:
        Interrupted: nobody does.
    """
    event = _current.get()
    if event is None:
        time.sleep(seconds)
    elif event.wait(seconds):
        raise Interrupted


def wait(happening: threading.Event, seconds: float) -> bool:
    """Wait for an event at most so long; whether it happened.

    Raises:
        Interrupted: nobody waits any more.
    """
    if not may_happen():
        return happening.wait(seconds)
    end = time.monotonic() + seconds
    while not happening.wait(max(0.0, min(LOOK_SECONDS, end - time.monotonic()))):
        check()
        if time.monotonic() >= end:
            return False
    return True
