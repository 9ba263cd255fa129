"""Blocking calls of the engine in a bounded number of threads, for an asynchronous server."""

import asyncio
import contextvars
import math
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, TypeVar

from rag_assets.platform.errors import RaglineError
from rag_assets.platform.interruption import following
from rag_assets.platform.wording import counted

T = TypeVar("T")

RETRY_AFTER_SECONDS = 1.0


class Busy(RaglineError):
    """As many questions are being answered as the process takes at a time."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"{counted(most, 'question is', 'questions are')} being answered already.",
            "Try again in a moment, or raise server.max_concurrent_questions or server.workers.",
        )
        self.retry_after = RETRY_AFTER_SECONDS


class Workers:
    """Runs blocking work; nothing waits in line, so that an overload shows at once.

    Args:
        most: how much may run at a time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._free = threading.BoundedSemaphore(most)
        self._executor = ThreadPoolExecutor(most, thread_name_prefix="question")
        self._closing = threading.Event()

    async def run(self, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Call a function in a thread; when this is cancelled, what blocks in there ends early.

        Raises:
            Busy: every thread is taken.
        """
        context, left = contextvars.copy_context(), threading.Event()

        def call() -> T:
            with following(left):
                return function(*arguments, **options)

        self._take()
        future = self._executor.submit(context.run, call)
        # also where it is cancelled before it began
        future.add_done_callback(lambda _: self._free.release())
        try:
            return await asyncio.wrap_future(future)
        finally:
            left.set()

    async def stream(self, start: Callable[[], Iterator[T]]) -> AsyncGenerator[T, None]:
        """Read a blocking generator in a thread and give what it yields.

        When this is closed, the generator is closed too, in its thread, as soon as it comes to its
        next event or finds that it is interrupted (``platform.interruption``).

        Args:
            start: makes the generator; it is called in the thread.

        Raises:
            Busy: every thread is taken.
        """
        loop, queue = asyncio.get_running_loop(), asyncio.Queue[tuple[str, Any]]()
        context, left = contextvars.copy_context(), threading.Event()

        def tell(kind: str, value: Any = None) -> None:
            # a loop that is closed has no reader any more
            if not loop.is_closed():
                loop.call_soon_threadsafe(queue.put_nowait, (kind, value))

        def read() -> None:
            with following(left), closing(start()) as events:  # type: ignore[type-var]
                for event in events:
                    if left.is_set() or self._closing.is_set():
                        return
                    tell("event", event)

        def work() -> None:
            try:
                context.run(read)
            except BaseException as error:  # noqa: BLE001 - it is raised where the stream is read
                tell("error", error)
            else:
                tell("end")
            finally:
                self._free.release()

        self._take()
        self._executor.submit(work)
        try:
            while True:
                kind, value = await queue.get()
                if kind == "end":
                    return
                if kind == "error":
                    raise value
                yield value
        finally:
            left.set()

    def close(self) -> None:
        """Take no more work; streams end at their next event."""
        self._closing.set()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _take(self) -> None:
        if not self._free.acquire(blocking=False):
            raise Busy(self._most)


def whole_seconds(seconds: float) -> str:
    """Seconds as the header ``Retry-After`` has them: whole, at least one."""
    return str(max(1, math.ceil(seconds)))
