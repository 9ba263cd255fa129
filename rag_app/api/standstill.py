"""A process whose event loop stands still answers nobody: it says where it stands, and ends.

Whoever looks after it (``ragline up``, the parent of several workers, an orchestrator) starts another.
Threads that answer for the process, and a port that is open, tell nobody that it is of no use.
The watchdog of ``faulthandler`` would also end a process that was only stopped for a while, and what it
says does not reach the log.
"""

import asyncio
import logging
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

logger = logging.getLogger(__name__)

LOOKS = 10  # within the time that is allowed
TELLING_SECONDS = 5.0
EXIT_CODE = 70  # of sysexits.h: an internal error


@contextmanager
def ended_at_standstill(seconds: float) -> Iterator[None]:
    """While this is open in a running event loop, end the process when the loop does nothing.

    Args:
        seconds: for how long. Time in which the whole process was stopped does not count.
    """
    loop, pause = asyncio.get_running_loop(), seconds / LOOKS
    alive, over = threading.Event(), threading.Event()
    thread = threading.get_ident()

    def watch() -> None:
        # looks are counted, not seconds: a process that was stopped has looked as seldom as it has run
        silent = 0
        while not over.wait(pause):
            silent = 0 if alive.is_set() else silent + 1
            alive.clear()
            if silent > LOOKS:
                _end(thread, seconds)
            with suppress(RuntimeError):  # it may be closed by now
                loop.call_soon_threadsafe(alive.set)

    watching = threading.Thread(target=watch, name="standstill", daemon=True)
    watching.start()
    try:
        yield
    finally:
        over.set()


def _end(thread: int, seconds: float) -> None:
    """Say where a thread stands, if that can be said, and end the process in any case."""
    where = "".join(traceback.format_stack(sys._current_frames().get(thread)))

    def tell() -> None:
        logger.critical(
            "The event loop has done nothing for %.0f s: the process ends. It stands at:\n%s",
            seconds,
            where,
        )

    # the loop may stand still because nobody reads the log
    telling = threading.Thread(target=tell, daemon=True)
    telling.start()
    telling.join(TELLING_SECONDS)
    os._exit(EXIT_CODE)
