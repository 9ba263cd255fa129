"""Which version of the index answers: the live release, a pinned one, or the last good one."""

import threading
import time
from dataclasses import dataclass, replace

from rag_assets.encoders import Encoder
from rag_assets.platform.errors import ConfigurationError, IndexUnavailable, NoRelease
from rag_assets.platform.platform import Platform
from rag_assets.platform.processes import release_memory
from rag_assets.query.parameters import QueryParameters
from rag_assets.releases.opening import open_release
from rag_assets.releases.registry import Registry, Release
from rag_assets.releases.time_travel import NOT_FOR_READERS, readable_releases
from rag_assets.vector_index.reader import IndexReader

from .release_encoders import ReleaseEncoders
from .rights import PresentRights

# a version that could not be read is left alone for so long before it is tried again
AVOID_SECONDS = 15.0
AGAIN_SECONDS = 1.0


@dataclass(frozen=True)
class Snapshot:
    """One release, opened; a query uses one from its beginning to its end.

    Attributes:
        encoder: the one that made the release's vectors; questions and sentences need the same.
        parameters: learned for the release, or defaults.
        rights: what has been forbidden since the version was made.
        fallback: it stands in for a newer release that cannot be read.
    """

    release: Release
    reader: IndexReader
    encoder: Encoder
    parameters: QueryParameters
    rights: PresentRights
    fallback: bool = False

    def is_of(self, release: Release) -> bool:
        """Whether it is this release as the registry has it now: same rows, same encoder."""
        return _version(self.release) == _version(release)


class Snapshots:
    """Opens releases. A query that begins ``query.refresh_seconds`` or more after a change of the
    registry sees it: a promotion, a rollback, an erased document, a removal.

    Args:
        platform: settings, database and the place of the index.
        release_id: pin this release; then there is no fallback.
        candidates: whether a release may be pinned that is not for readers: one whose gates have
            not spoken yet, or that they rejected.
    """

    def __init__(
        self, platform: Platform, release_id: int | None = None, *, candidates: bool = False
    ) -> None:
        self._platform = platform
        self._pinned = release_id
        self._hidden = () if candidates else NOT_FOR_READERS
        self._encoders = ReleaseEncoders(platform)
        self._opening = threading.Lock()
        self._current: Snapshot | None = None
        self._checked = float("-inf")
        self._avoid: dict[tuple[int, str, int], float] = {}

    def current(self) -> Snapshot:
        """The snapshot to use for a query that begins now.

        Raises:
            NoRelease: nothing has been released, or the release is not there or not for readers.
            IndexUnavailable: no release can be read.
            ConfigurationError: the encoder of the release cannot be made any more.
        """
        began = time.monotonic()
        snapshot = self._current
        if snapshot is not None and self._is_fresh(began):
            return snapshot
        with self._opening:
            if self._current is not None and self._is_fresh(began):
                return self._current  # another thread has just looked
            # what is committed while this looks may be missed: the look is as old as its beginning
            looked, before = time.monotonic(), self._current
            self._current = self._look(before)
            self._checked = looked
            if before is not None and before.reader is not self._current.reader:
                # an index that was read leaves holes behind; a service sees many of them
                release_memory()
            return self._current

    def encoder(self) -> Encoder:
        """The encoder of the release that would be opened now; nothing is loaded or opened."""
        snapshot = self._current
        return snapshot.encoder if snapshot else self._encoders.of(self._wanted())

    def open_again(self, snapshot: Snapshot) -> Snapshot:
        """What to use instead of a snapshot whose files have vanished: the registry knows better.

        Raises:
            as ``current``.
        """
        with self._opening:
            self._drop(snapshot)
        return self.current()

    def give_up(self, snapshot: Snapshot) -> None:
        """Say that a snapshot turned out to be unreadable; the next query gets another one."""
        with self._opening:
            self._avoid[_version(snapshot.release)] = time.monotonic() + AVOID_SECONDS
            self._drop(snapshot)

    def _drop(self, snapshot: Snapshot) -> None:
        # a later look may have given it other parameters, and the same files
        if self._current is not None and self._current.reader is snapshot.reader:
            self._current = None

    def _is_fresh(self, began: float) -> bool:
        return began - self._checked < self._platform.settings.query.refresh_seconds

    def _wanted(self) -> Release:
        """The live release, or the one that is pinned."""
        registry = Registry(self._platform.database)
        if not self._pinned:
            live = registry.live()
            if live is None:
                raise NoRelease("Nothing has been released yet.", "Run 'ragline ingest' first.")
            return live
        release = registry.get(self._pinned)
        if release is None or release.status in self._hidden or not release.readable:
            raise self._not_to_ask(registry, release)
        return release

    def _not_to_ask(self, registry: Registry, release: Release | None) -> NoRelease:
        what = f"There is no release {self._pinned} to ask."
        if release is not None and not release.readable:
            what = f"Release {release.id} has been removed and cannot be asked any more."
        elif release is not None:
            what = f"Release {release.id} is {release.status} and not for readers."
        return NoRelease(what, readable_releases(registry, self._hidden))

    def _look(self, present: Snapshot | None) -> Snapshot:
        wanted = self._wanted()
        if present is not None and not present.fallback and present.is_of(wanted):
            # parameters may have been learned since
            return replace(present, release=wanted, parameters=self._parameters(wanted))
        if self._pinned:
            return self._open(wanted)
        return self._live_or_last_good(wanted, present)

    def _live_or_last_good(self, live: Release, present: Snapshot | None) -> Snapshot:
        first_error: IndexUnavailable | None = None
        for release in [live, *self._older(live)]:
            if time.monotonic() < self._avoid.get(_version(release), 0.0):
                continue
            if present is not None and present.fallback and present.is_of(release):
                return present
            try:
                return replace(self._open(release), fallback=release.id != live.id)
            except IndexUnavailable as error:
                self._avoid[_version(release)] = time.monotonic() + AVOID_SECONDS
                first_error = first_error or error
            except ConfigurationError:
                if release.id == live.id:
                    raise
        # nothing stands in: the live one is tried again soon, and not by every question
        self._avoid[_version(live)] = min(
            self._avoid.get(_version(live), float("inf")), time.monotonic() + AGAIN_SECONDS
        )
        raise first_error or IndexUnavailable(
            f"The index of release {live.id} cannot be read, and no older release can.",
            "Check RAG_HOME; 'ragline ingest --full' builds the index again.",
        )

    def _older(self, live: Release) -> list[Release]:
        """What may stand in for the live release, newest first."""
        return [
            release
            for release in Registry(self._platform.database).all()
            if release.status == "retired" and release.id < live.id and release.readable
        ]

    def _open(self, release: Release) -> Snapshot:
        encoder = self._encoders.of(release)
        reader = open_release(self._platform, release)
        rights = PresentRights(self._platform, reader)
        return Snapshot(release, reader, encoder, self._parameters(release), rights)

    def _parameters(self, release: Release) -> QueryParameters:
        if release.parameters:
            return QueryParameters.from_dict(release.parameters)
        return QueryParameters(fusion_weight=self._platform.settings.query.fusion_weight)


def _version(release: Release) -> tuple[int, str, int]:
    """What a reader opens: another version of the same release holds other rows."""
    return release.id, release.table_name, release.lance_version
