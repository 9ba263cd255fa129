"""How much a principal may do: requests in a window, and questions a day.

Counted in this process, or in Redis (``cache.redis_url``) for all processes and machines together.
A Redis that is down costs one short time-out; for the next seconds this process counts by itself.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from rag_assets.platform.errors import ConfigurationError, MissingExtra
from rag_assets.platform.platform import Platform
from rag_assets.platform.wording import counted

from .errors import TooManyRequests
from .principal import Principal

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.storage import MemoryStorage, RedisStorage

REDIS_SECONDS = 0.25  # longest wait for Redis
REDIS_PAUSE_SECONDS = 5.0  # how long a Redis that failed is left alone
_PREFIX = "ragline-limits"

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Allowance:
    """What is left of a limit.

    Attributes:
        limit: what the window allows; 0 where there is no limit.
        remaining: what is left of it.
        reset_seconds: until the window begins anew.
        window_seconds: its length.
    """

    limit: int = 0
    remaining: int = 0
    reset_seconds: int = 0
    window_seconds: int = 0

    @property
    def headers(self) -> dict[str, str]:
        """``RateLimit-*`` response headers; none where there is no limit."""
        if not self.limit:
            return {}
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_seconds),
            "RateLimit-Policy": f"{self.limit};w={self.window_seconds}",
        }


class Limits:
    """Counts what principals do. Safe to use from several threads.

    Args:
        platform: its settings say the limits and where they are counted.

    Raises:
        ConfigurationError: ``server.rate_limit`` is no limit, or the Redis address is none.
        MissingExtra: Redis is configured and its package is not installed.
    """

    def __init__(self, platform: Platform) -> None:
        from limits.storage import MemoryStorage

        settings = platform.settings.server
        self._rate = _parsed(settings.rate_limit)
        self._quota = settings.daily_quota
        self._memory = MemoryStorage()
        self._redis = _redis(platform.settings.cache.redis_url.get_secret_value())
        self._redis_again_at = 0.0
        self._lock = threading.Lock()

    @property
    def shared(self) -> bool:
        """Whether it is counted in Redis."""
        return self._redis is not None

    def check(self, principal: Principal, cost: int = 1, *, client: str = "") -> Allowance:
        """Count a request.

        Args:
            principal: who makes it.
            cost: how much it counts.
            client: the address it comes from; an anonymous principal is counted by it.

        Returns:
            what is left, for the response headers.

        Raises:
            TooManyRequests: the window is used up.
        """
        if self._rate is None:
            return Allowance()
        rate, name = self._rate, _counted_as(principal, client)
        allowed, allowance = self._counted(lambda storage: _hit(storage, rate, name, cost))
        if not allowed:
            raise TooManyRequests(
                f"More than {counted(rate.amount, 'request')} in {_words(rate.get_expiry())}.",
                retry_after=max(1, allowance.reset_seconds),
                headers=allowance.headers,
            )
        return allowance

    def check_quota(self, principal: Principal, *, client: str = "") -> None:
        """Count a question; the day begins at midnight UTC.

        Raises:
            TooManyRequests: today's questions are used up.
        """
        if not self._quota:
            return
        now, quota = datetime.now(UTC), self._quota
        key = f"{_PREFIX}/questions/{now:%Y-%m-%d}/{_counted_as(principal, client)}"
        used = self._counted(lambda storage: storage.incr(key, 86_400, amount=1))
        if used > quota:
            tomorrow = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            raise TooManyRequests(
                f"All of today's questions are used up ({quota:,} a day).",
                retry_after=max(1, int((tomorrow - now).total_seconds())),
            )

    def _counted(self, count: "Callable[[MemoryStorage | RedisStorage], T]") -> T:
        """Count in Redis where it works, else in this process."""
        if self._redis is not None and time.monotonic() >= self._redis_again_at:
            try:
                return count(self._redis)
            except self._redis.base_exceptions as error:
                with self._lock:
                    self._redis_again_at = time.monotonic() + REDIS_PAUSE_SECONDS
                log.warning(
                    "Redis cannot be reached (%s): limits are counted in this process for %.0f s",
                    type(error).__name__,
                    REDIS_PAUSE_SECONDS,
                )
        return count(self._memory)


def _hit(
    storage: "MemoryStorage | RedisStorage", rate: "RateLimitItem", name: str, cost: int
) -> tuple[bool, Allowance]:
    from limits.strategies import SlidingWindowCounterRateLimiter

    limiter = SlidingWindowCounterRateLimiter(storage)
    allowed = limiter.hit(rate, _PREFIX, name, cost=cost)
    window = limiter.get_window_stats(rate, _PREFIX, name)
    reset = max(0, round(window.reset_time - time.time()))
    return allowed, Allowance(rate.amount, max(0, window.remaining), reset, rate.get_expiry())


def _counted_as(principal: Principal, client: str) -> str:
    """Whom a request counts for: everybody without a name is told apart by address."""
    return f"{principal.name}@{client}" if principal.kind == "anonymous" else principal.name


def _parsed(text: str) -> "RateLimitItem | None":
    from limits import parse

    if not text.strip():
        return None
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigurationError(
            f"server.rate_limit = '{text}' is no limit.", "Write it like 120/minute or 10/second."
        ) from error


def _redis(url: str) -> "RedisStorage | None":
    if not url:
        return None
    try:
        import redis
    except ImportError as error:
        raise MissingExtra("redis", "redis") from error
    from limits.storage import RedisStorage

    try:
        # no retries of the client's own: this process counts on instead
        return RedisStorage(
            url,
            key_prefix=_PREFIX,
            socket_timeout=REDIS_SECONDS,
            socket_connect_timeout=REDIS_SECONDS,
            retry=redis.retry.Retry(redis.backoff.NoBackoff(), 0),  # type: ignore[arg-type]
        )
    except ValueError as error:
        raise ConfigurationError(
            f"cache.redis_url is no Redis address: {error}.", "Write it like redis://host:6379/0."
        ) from error


def _words(seconds: int) -> str:
    for length, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds % length == 0:
            number = seconds // length
            return f"a {name}" if number == 1 else f"{number} {name}s"
    return "a second" if seconds == 1 else f"{seconds} seconds"
