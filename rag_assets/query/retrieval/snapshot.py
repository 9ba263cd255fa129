"""Which version of the index answers: the live release, a pinned one, or the last good one."""

import threading
import time
from dataclasses import dataclass, replace

from rag_assets.platform.errors import ConfigurationError, IndexUnavailable, NoRelease
from rag_assets.platform.platform import Platform
from rag_assets.query.parameters import QueryParameters
from rag_assets.releases.registry import Registry, Release
from rag_assets.vector_index.reader import IndexReader

from .rights import PresentRights

# a release that could not be read is left alone for so long before it is tried again
AVOID_SECONDS = 15.0


@dataclass(frozen=True)
class Snapshot:
    """One release, opened; a query uses one from its beginning to its end.

    Attributes:
        parameters: learned for the release, or defaults.
        rights: what has been forbidden since the version was made.
        fallback: it stands in for a newer release that cannot be read.
    """

    release: Release
    reader: IndexReader
    parameters: QueryParameters
    rights: PresentRights
    fallback: bool = False


class Snapshots:
    """Opens releases, and notices a newer one at most ``query.refresh_seconds`` later.

    Args:
        platform: settings, database and the place of the index.
        encoder: fingerprint of the encoder whose vectors will be compared with the index.
        release_id: pin this release; then there is neither refresh nor fallback.
        candidates: whether a release may be pinned whose gates have not spoken yet.
    """

    def __init__(
        self,
        platform: Platform,
        encoder: str,
        release_id: int | None = None,
        *,
        candidates: bool = False,
    ) -> None:
        self._platform = platform
        self._encoder = encoder
        self._pinned = release_id
        self._hidden = ("rejected",) if candidates else ("candidate", "rejected")
        self._opening = threading.Lock()
        self._current: Snapshot | None = None
        self._checked = 0.0
        self._avoid: dict[int, float] = {}

    def current(self) -> Snapshot:
        """The snapshot to use for a query that begins now.

        Raises:
            NoRelease: nothing has been released, or there is no such release.
            IndexUnavailable: no release can be read.
            ConfigurationError: the release was made with another encoder than is configured.
        """
        snapshot = self._current
        refresh = self._platform.settings.query.refresh_seconds
        if snapshot is not None and (self._pinned or time.monotonic() - self._checked < refresh):
            return snapshot
        with self._opening:
            if self._current is not snapshot and self._current is not None:
                return self._current  # another thread has just looked
            self._current = self._look(snapshot)
            self._checked = time.monotonic()
            return self._current

    def give_up(self, snapshot: Snapshot) -> None:
        """Say that a snapshot turned out to be unreadable; the next query gets another one."""
        with self._opening:
            self._avoid[snapshot.release.id] = time.monotonic() + AVOID_SECONDS
            if self._current is snapshot:
                self._current = None

    def _look(self, present: Snapshot | None) -> Snapshot:
        registry = Registry(self._platform.database)
        if self._pinned:
            release = registry.get(self._pinned)
            if release is None or release.status in self._hidden:
                raise NoRelease(
                    f"There is no release {self._pinned} to ask.", "See 'ragline releases list'."
                )
            return self._open(release)
        live = registry.live()
        if live is None:
            raise NoRelease("Nothing has been released yet.", "Run 'ragline ingest' first.")
        if present is not None and not present.fallback and present.release.id == live.id:
            # parameters may have been learned since
            return replace(present, release=live, parameters=self._parameters(live))
        return self._live_or_last_good(registry, live, present)

    def _live_or_last_good(
        self, registry: Registry, live: Release, present: Snapshot | None
    ) -> Snapshot:
        older = [item for item in registry.all() if item.status == "retired" and item.id < live.id]
        first_error: IndexUnavailable | None = None
        for release in [live, *sorted(older, key=lambda item: -item.id)]:
            if time.monotonic() < self._avoid.get(release.id, 0.0):
                continue
            if present is not None and present.fallback and present.release.id == release.id:
                return present
            try:
                return replace(self._open(release), fallback=release.id != live.id)
            except IndexUnavailable as error:
                self._avoid[release.id] = time.monotonic() + AVOID_SECONDS
                first_error = first_error or error
            except ConfigurationError:
                if release.id == live.id:
                    raise
        raise first_error or IndexUnavailable(
            f"The index of release {live.id} cannot be read, and no older release can.",
            "Check RAG_HOME; 'ragline ingest --full' builds the index again.",
        )

    def _open(self, release: Release) -> Snapshot:
        made_with = release.fingerprints.get("encoder")
        if made_with != self._encoder:
            raise ConfigurationError(
                f"Release {release.id} was made with another encoder than the settings name.",
                "Run 'ragline ingest' to release with this encoder, or set the former one again.",
            )
        platform = self._platform
        reader = IndexReader(
            platform.lancedb_uri, release.table_name, release.tag, platform.storage_options
        )
        rights = PresentRights(platform, reader)
        return Snapshot(release, reader, self._parameters(release), rights)

    def _parameters(self, release: Release) -> QueryParameters:
        if release.parameters:
            return QueryParameters.from_dict(release.parameters)
        return QueryParameters(fusion_weight=self._platform.settings.query.fusion_weight)
