"""A store that several processes and machines share: Redis."""

import logging
import threading
import time
import uuid
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

from rag_assets.platform.errors import MissingExtra

logger = logging.getLogger(__name__)
T = TypeVar("T")

# a Redis that needs longer costs more than it saves
TIMEOUT_SECONDS = 0.2
# after so many failures in a row it is left alone for so long
FAILURES = 3
PAUSE_SECONDS = 5.0
# releases a claim only if it is still ours
RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"


class RedisStore:
    """Keeps values in Redis. Safe to use from several threads; nothing is opened before its first use.

    Args:
        url: ``redis://…``, ``rediss://…`` or ``unix://…``.
        prefix: of every key, so that deployments and erasures can tell theirs.
        seconds: how long a value is kept.

    Raises:
        MissingExtra: the package ``redis`` is not installed.
    """

    def __init__(self, url: str, prefix: str, seconds: float) -> None:
        try:
            import redis
        except ImportError as error:
            raise MissingExtra("redis", "redis") from error
        self._errors = (redis.RedisError, OSError, ValueError)
        self._url = url
        self._prefix = prefix
        self._seconds = seconds
        self._lock = threading.Lock()
        self._failures = 0
        self._resume_at = 0.0
        self._token = uuid.uuid4().hex

    @property
    def reachable(self) -> bool:
        """Whether it is being asked at all, as far as is known."""
        return time.monotonic() >= self._resume_at

    def get(self, key: str) -> bytes | None:
        """The value, if Redis has it and says so in time."""
        found: bytes | None = self._try(lambda client: client.get(self._prefix + key), None)
        return found

    def set(self, key: str, value: bytes) -> None:
        """Keep a value."""
        milliseconds = int(self._seconds * 1000)
        self._try(lambda client: client.set(self._prefix + key, value, px=milliseconds), None)

    def claim(self, key: str, seconds: float) -> bool:
        """Whether no other process is making this value; so too when Redis cannot be asked."""
        name, milliseconds = self._claim_of(key), int(seconds * 1000)
        return bool(
            self._try(lambda client: client.set(name, self._token, nx=True, px=milliseconds), True)
        )

    def release(self, key: str) -> None:
        """Give a claim back."""
        self._try(lambda client: client.eval(RELEASE, 1, self._claim_of(key), self._token), None)

    def clear(self) -> None:
        """Nothing: generations in the keys say what counts, and the eraser removes the rest."""

    def _claim_of(self, key: str) -> str:
        return f"{self._prefix}claim:{key}"

    def _try(self, ask: Callable[[Any], T], otherwise: T) -> T:
        """Ask Redis, or go on without it."""
        if not self.reachable:
            return otherwise
        try:
            answer = ask(self._client)
        except self._errors as error:
            self._failed(error)
            return otherwise
        with self._lock:
            self._failures = 0
        return answer

    def _failed(self, error: BaseException) -> None:
        with self._lock:
            self._failures += 1
            pause = self._failures >= FAILURES
            if pause:
                # once that is over a single failure is enough to leave it alone again
                self._failures = FAILURES - 1
                self._resume_at = time.monotonic() + PAUSE_SECONDS
        if pause:
            logger.warning(
                "The cache in Redis is left alone for %.0f s: %s",
                PAUSE_SECONDS,
                type(error).__name__,
            )

    @cached_property
    def _client(self) -> Any:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        return redis.Redis.from_url(
            self._url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            # a connection that a restart of Redis has cut is opened again, once
            retry=Retry(NoBackoff(), 1),
        )
