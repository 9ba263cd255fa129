"""The release that a caller names, and engines that are pinned to one."""

import threading
from datetime import UTC, datetime

from cachetools import LRUCache

from rag_app.telemetry.metrics import Metrics
from rag_assets.platform.errors import InvalidQuestion
from rag_assets.platform.platform import Platform
from rag_assets.query.engine import QueryEngine
from rag_assets.releases.time_travel import parse_moment, release_as_of

from .engine import caches_of, open_engine

# engines of older releases that stay open: each holds an encoder and an opened index
KEPT_OPEN = 4


def asked_release(
    platform: Platform,
    release: int | None,
    as_of: str,
    *,
    names: tuple[str, str] = ("release", "as_of"),
) -> int | None:
    """The release that is meant; None: the live one.

    Args:
        platform: the deployment.
        release: its id, or none.
        as_of: a moment at which it was live, see ``parse_moment``; or empty.
        names: what the caller calls the two.

    Raises:
        InvalidQuestion: both are given, or the moment is none or in the future.
        NoRelease: nothing was live then, or it has been removed.
    """
    if release and as_of:
        both = " and ".join(names)
        raise InvalidQuestion(f"{both} both name a release.", "Give one of the two.")
    if not as_of:
        return release or None
    return release_as_of(platform, parse_moment(as_of, datetime.now(UTC))).id


class Engines:
    """The engine that follows the live release, and those of releases that callers name.

    Args:
        platform: the deployment.
        metrics: counts what they do, the caches too; default: its own.
    """

    def __init__(self, platform: Platform, metrics: Metrics | None = None) -> None:
        self._platform = platform
        self._metrics = metrics or Metrics()
        self._caches = caches_of(platform, self._metrics)
        self._lock = threading.Lock()
        self._pinned: LRUCache[int, QueryEngine] = LRUCache(KEPT_OPEN)
        self.live = self._open(None)

    def of(self, release: int | None = None, as_of: str = "") -> QueryEngine:
        """The engine of the release that is named; without a name, of the live one.

        Raises:
            as ``asked_release``. Whether the release can be asked shows at the first question.
        """
        release_id = asked_release(self._platform, release, as_of)
        if release_id is None:
            return self.live
        with self._lock:
            engine = self._pinned.get(release_id)
            if engine is None:
                engine = self._pinned[release_id] = self._open(release_id)
            return engine

    def _open(self, release_id: int | None) -> QueryEngine:
        return open_engine(self._platform, release_id, caches=self._caches, metrics=self._metrics)
