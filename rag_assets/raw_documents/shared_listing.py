"""One listing of a source for all of its shards: a tick walks a source once, however many it has."""

from collections.abc import Callable

from rag_assets.platform.errors import SourceChanged, SourceUnavailable

from .base import Listed, Source


class SharedListing:
    """Lists a source when the first of its shards asks, and hands each shard its part.

    Args:
        source: what is listed.
        shards: how many parts there are.
        shard_of: the part of a document id, from 0.
    """

    def __init__(self, source: Source, shards: int, shard_of: Callable[[str], int]) -> None:
        self._source = source
        self._shards = shards
        self._shard_of = shard_of
        self._parts: list[list[Listed]] | None = None
        self._failure: SourceUnavailable | SourceChanged | None = None

    def part(self, shard: int) -> list[Listed]:
        """The documents of one shard, in the source's order, and every folder that is covered.

        Raises:
            SourceUnavailable, SourceChanged: as ``list`` of the source; every shard is told the
                same, and the source is not asked again.
        """
        if self._failure is not None:
            raise self._failure
        if self._parts is None:
            try:
                self._parts = self._divided()
            except (SourceUnavailable, SourceChanged) as failure:
                self._failure = failure
                raise
        return self._parts[shard]

    def _divided(self) -> list[list[Listed]]:
        parts: list[list[Listed]] = [[] for _ in range(self._shards)]
        for listed in self._source.list():
            if listed.covers:
                for part in parts:
                    part.append(listed)
            else:
                parts[self._shard_of(listed.document_id)].append(listed)
        return parts
