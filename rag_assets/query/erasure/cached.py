"""Erasing a document from the answers that a shared cache keeps.

Caches in the memory of serving processes need no eraser: a request to forget a document voids them
(``ErasureRequests.generation``), and so it does with what is in Redis; there the bytes are removed too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rag_assets.erasure.base import Erased, Found, Subject
from rag_assets.erasure.redaction import Redaction
from rag_assets.platform.errors import MissingExtra, RaglineError, StorageError
from rag_assets.platform.platform import Platform
from rag_assets.platform.wording import counted

AT_ONCE = 500
TIMEOUT_SECONDS = 10.0
KEPT = (
    "Redis may still hold the old bytes in a snapshot or append-only file of its own until it "
    "writes the next one"
)


def cache_prefix(platform: Platform) -> str:
    """How the keys of a deployment begin."""
    return f"ragline:{platform.deployment_id}:"


class CachedAnswersEraser:
    """Forgets every cached answer: which documents an answer rests on is not worth an index here."""

    place = "answer cache"

    def find(self, platform: Platform, subject: Subject) -> Found:
        """Count the cached values that repeat the document or name it."""
        if not _url(platform):
            return Found("no shared cache", 0)
        redaction = Redaction(subject.phrases)
        searched = traces = 0
        with _errors(), _client(platform) as client:
            for keys in _keys(client, platform):
                texts = [_text(value) for value in client.mget(keys)]
                searched += len(texts)
                traces += sum(
                    subject.document_id in text or said
                    for text, said in zip(texts, redaction.holding(texts), strict=True)
                )
        return Found(f"{counted(searched, 'value')} in Redis", traces)

    def erase(self, platform: Platform, subject: Subject) -> Erased:
        """Remove all that is cached."""
        if not _url(platform):
            return Erased(0)
        removed = 0
        with _errors(), _client(platform) as client:
            for keys in _keys(client, platform):
                removed += client.delete(*keys)
        return Erased(removed, (KEPT,))


def _url(platform: Platform) -> str:
    return platform.settings.cache.redis_url.get_secret_value()


def _keys(client: Any, platform: Platform) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for key in client.scan_iter(match=cache_prefix(platform) + "*", count=AT_ONCE):
        batch.append(key)
        if len(batch) == AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


def _client(platform: Platform) -> Any:
    try:
        import redis
    except ImportError as error:
        raise MissingExtra("redis", "redis") from error
    return redis.Redis.from_url(
        _url(platform), socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
    )


@contextmanager
def _errors() -> Iterator[None]:
    """Turn errors of the library into one that stops the erasure and says what to do."""
    try:
        yield
    except RaglineError:
        raise
    except Exception as error:
        if not (isinstance(error, OSError) or type(error).__module__.startswith("redis")):
            raise
        raise StorageError(
            f"The cache in Redis cannot be searched: {type(error).__name__}.",
            "Start it (cache.redis_url) and run the command again, or take the setting away "
            "when that Redis is gone for good.",
        ) from error
