"""Gauges of the platform itself: the live release, its age, the sources, the documents by state."""

import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from rag_assets.platform.errors import RaglineError
from rag_assets.platform.platform import Platform

logger = logging.getLogger(__name__)

# a scrape waits so long for a first look; later ones show the last look and begin a new one
FIRST_LOOK_SECONDS = 5.0
DECLARED = {
    "ragline_platform_readable": "Whether registry, tables and sources could be read just now.",
    "ragline_release_id": "The live release; 0 while there is none.",
    "ragline_release_age_seconds": "Since the live release was made.",
    "ragline_release_documents": "Documents in the live release.",
    "ragline_release_chunks": "Passages in the live release.",
    "ragline_documents": "Documents by state, as of the last ingest.",
    "ragline_source_pending": "Documents that are new, changed or deleted since the last ingest.",
    "ragline_source_lag_seconds": "How long this process has seen the source ahead of the release.",
    "ragline_source_available": "Whether the source could be listed.",
}
# state → the fact of a stamp of parsed_documents that counts it
FACTS = {
    "indexed": "documents_indexed",
    "empty": "documents_empty",
    "quarantined": "documents_quarantined",
    "stale": "documents_stale",
}
Families = dict[str, GaugeMetricFamily]


class PlatformState(Collector):
    """Looks at registry, stamps and sources, in a thread of its own and not at every scrape.

    Args:
        platform: the deployment.
        every: seconds between two looks.
    """

    def __init__(self, platform: Platform, every: float = 30.0) -> None:
        self._platform = platform
        self._every = every
        self._lock = threading.Lock()
        self._looked = threading.Event()
        self._began = float("-inf")
        self._looking = False
        self._families: Families = {}
        self._behind_since: dict[str, float] = {}

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing: registering must not read the platform."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges of the last look; those that could not be read are absent."""
        with self._lock:
            due = time.monotonic() - self._began >= self._every and not self._looking
            if due:
                self._looking, self._began = True, time.monotonic()
                threading.Thread(target=self._look, name="platform-state", daemon=True).start()
        self._looked.wait(FIRST_LOOK_SECONDS)
        yield from self._families.values()

    def _look(self) -> None:
        families: Families = {}
        try:
            self._read(families)
            _put(families, "ragline_platform_readable", 1)
        except (RaglineError, SQLAlchemyError, OSError) as error:
            logger.warning("The state of the platform cannot be read: %s", error)
            _put(families, "ragline_platform_readable", 0)
        finally:
            self._families, self._looking = families, False
            self._looked.set()

    def _read(self, families: Families) -> None:
        from rag_assets.releases.registry import Registry
        from rag_jobs.pending import find_pending

        live = Registry(self._platform.database).live()
        _put(families, "ragline_release_id", live.id if live else 0)
        if live is not None:
            age = (datetime.now(UTC) - live.created_at).total_seconds()
            _put(families, "ragline_release_age_seconds", max(age, 0.0))
            _put(families, "ragline_release_documents", live.documents)
            _put(families, "ragline_release_chunks", live.chunks)
        if not self._platform.settings.sources:
            return
        pending = find_pending(self._platform)
        totals = dict.fromkeys(FACTS, 0)
        changes: dict[str, int] = {}
        behind, absent = set(), set()
        for shard in pending.shards:
            changes[shard.source] = changes.get(shard.source, 0) + (
                shard.added + shard.changed + shard.deleted
            )
            if shard.stages or pending.release_due:
                behind.add(shard.source)
            if shard.unavailable:
                absent.add(shard.source)
            parsed = pending.stamps.get(shard.partition, {}).get("parsed_documents")
            for state, fact in FACTS.items():
                totals[state] += int(parsed.facts.get(fact, 0)) if parsed else 0
        for state, count in totals.items():
            _put(families, "ragline_documents", count, state=state)
        for source, count in changes.items():
            _put(families, "ragline_source_pending", count, source=source)
            _put(families, "ragline_source_lag_seconds", self._lag(source, behind), source=source)
            _put(families, "ragline_source_available", source not in absent, source=source)

    def _lag(self, source: str, behind: set[str]) -> float:
        if source not in behind:
            self._behind_since.pop(source, None)
            return 0.0
        return time.monotonic() - self._behind_since.setdefault(source, time.monotonic())


def _put(families: Families, name: str, value: float, **labels: str) -> None:
    if name not in families:
        families[name] = GaugeMetricFamily(name, DECLARED[name], labels=list(labels))
    families[name].add_metric(list(labels.values()), float(value))
