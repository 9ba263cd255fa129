"""A circuit breaker for streams: a server that failed several times in a row is left alone a while.

``pybreaker`` counts and decides. Its own ``call`` holds a lock for as long as the call takes, which
would let one stream at a time through; here it is told only of the outcomes.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from rag_assets.platform.wording import counted

from .base import AnswererRefused, AnswererUnavailable


class _Failed(Exception):
    """Stands for a failure when pybreaker is told of it."""


class CallBreaker:
    """Lets calls through, or fails them at once. Safe to use from several threads.

    Args:
        failures: failures in a row after which the server is left alone.
        seconds: how long it is left alone; then one call at a time is let through as a trial.
        server: named in the error.
    """

    def __init__(self, failures: int, seconds: float, server: str) -> None:
        from pybreaker import STATE_CLOSED, CircuitBreaker, CircuitMemoryStorage

        self._storage = CircuitMemoryStorage(STATE_CLOSED)
        self._breaker = CircuitBreaker(
            fail_max=failures,
            reset_timeout=seconds,
            state_storage=self._storage,
            throw_new_error_on_trip=False,
        )
        self._trial = threading.Lock()
        self._server = server

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Guard one call: ``AnswererUnavailable`` in it is a failure, a refusal is none.

        A call that its caller gives up says nothing about the server.

        Raises:
            AnswererUnavailable: (kind ``circuit_open``) the server is being left alone.
        """
        trial = self._admit()
        try:
            yield
        except AnswererUnavailable:
            self._record(failed=True)
            raise
        except AnswererRefused:
            self._record(failed=False)
            raise
        else:
            self._record(failed=False)
        finally:
            if trial:
                self._trial.release()

    def _admit(self) -> bool:
        """Let a call in; whether it is the trial of an open circuit."""
        remaining = self._seconds_left()
        if remaining is None:
            return False
        if remaining > 0 or not self._trial.acquire(blocking=False):
            raise AnswererUnavailable(
                f"The LLM server {self._server} failed {counted(self._breaker.fail_max, 'time')} in a row "
                "and is left alone for a while.",
                f"Check the server; it is tried again in {max(remaining, 1):.0f} s.",
                kind="circuit_open",
            )
        return True

    def _seconds_left(self) -> float | None:
        """How long the server is still left alone; None while the circuit is closed."""
        from pybreaker import STATE_CLOSED

        opened_at = self._storage.opened_at
        if self._breaker.current_state == STATE_CLOSED or opened_at is None:
            return None
        until = opened_at + timedelta(seconds=self._breaker.reset_timeout)
        return (until - datetime.now(UTC)).total_seconds()

    def _record(self, *, failed: bool) -> None:
        from pybreaker import CircuitBreakerError

        def outcome() -> None:
            if failed:
                raise _Failed

        # an open circuit takes no more outcomes: those of calls that began before it opened
        with suppress(_Failed, CircuitBreakerError):
            self._breaker.call(outcome)
