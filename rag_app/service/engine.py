"""The engines of a process, as the API, the OpenAI-compatible routes and MCP use them."""

from typing import cast

from rag_app.cache import CachedEngine, Caches
from rag_app.telemetry.engine import MeasuredEngine
from rag_app.telemetry.metrics import Metrics
from rag_assets.platform.platform import Platform
from rag_assets.query.engine import QueryEngine


def open_engine(
    platform: Platform,
    release_id: int | None = None,
    *,
    caches: Caches | None = None,
    metrics: Metrics | None = None,
) -> QueryEngine:
    """The engine that answers questions; nothing is loaded before its first one.

    Args:
        platform: the deployment.
        release_id: pin this release; None follows the live one.
        caches: shared by the engines of a process; None, or ``cache.enabled`` off: no cache.
        metrics: count what it does.

    Returns:
        An object with the methods of ``QueryEngine``.
    """
    engine = QueryEngine(platform, release_id)
    if caches is not None and platform.settings.cache.enabled:
        engine = cast(QueryEngine, CachedEngine(engine, platform, caches))
    if metrics is not None:
        engine = cast(QueryEngine, MeasuredEngine(engine, metrics))
    return engine


def caches_of(platform: Platform, metrics: Metrics) -> Caches:
    """The caches of a process, whose hits and misses are counted."""

    def count(cache: str, result: str) -> None:
        metrics.count("ragline_cache_requests_total", cache=cache, result=result)

    return Caches(platform, count)
