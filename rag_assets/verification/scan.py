"""A whole version of the index, read as it is stored: fragment by fragment, index by index."""

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from rag_assets.platform.errors import IndexUnavailable
from rag_assets.vector_index.reader import IndexReader

# what is in memory at a time
STREAMED_ROWS = 1024
STREAMED_BYTES = 64 * 1024 * 1024

FAILURES = (OSError, RuntimeError, ValueError)


class Fragment(NamedTuple):
    """A part of the version's rows: its number and its data files."""

    number: int
    files: tuple[str, ...]


class SearchIndex(NamedTuple):
    """A search index of the version: its name, its column, and its folders with their bytes."""

    name: str
    column: str
    segments: dict[str, int | None]


class VersionScan(IndexReader):
    """A reader that also shows how a version is stored."""

    @property
    def version(self) -> int:
        """The Lance version."""
        return int(self._dataset.version)

    def fragments(self) -> list[Fragment]:
        """The parts that the version's rows are stored in."""
        return [
            Fragment(item.fragment_id, tuple(file.path for file in item.data_files()))
            for item in self._dataset.get_fragments()
        ]

    def stream(self, fragment: Fragment) -> Iterator[pl.DataFrame]:
        """Every row of a fragment, vectors included, in frames of at most ``STREAMED_ROWS``.

        Raises:
            IndexUnavailable: the fragment cannot be read.
        """
        try:
            scanner = self._dataset.scanner(
                fragments=[self._dataset.get_fragment(fragment.number)],
                batch_size=STREAMED_ROWS,
                batch_readahead=2,
                io_buffer_size=STREAMED_BYTES,
            )
            for batch in scanner.to_batches():
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)
                yield frame
        except FAILURES as error:
            raise _unavailable(error) from error

    def rows_where(self, condition: str | None) -> int:
        """How many rows satisfy a SQL condition, as the search indices say.

        Raises:
            IndexUnavailable: an index cannot be read.
        """
        try:
            return int(self._dataset.count_rows(filter=condition))
        except FAILURES as error:
            raise _unavailable(error) from error

    def search_indices(self) -> list[SearchIndex]:
        """The search indices of this version."""
        return [
            SearchIndex(
                item.name,
                item.field_names[0],
                {str(segment.uuid): segment.size_bytes for segment in item.segments},
            )
            for item in self._dataset.describe_indices()
        ]

    def covered(self, index: str) -> int:
        """How many rows a search index knows, or knows that it has to scan.

        Raises:
            IndexUnavailable: it cannot be read.
        """
        try:
            found = self._dataset.stats.index_stats(index)
        except FAILURES as error:
            raise _unavailable(error) from error
        return int(found["num_indexed_rows"]) + int(found["num_unindexed_rows"])


def _unavailable(error: Exception) -> IndexUnavailable:
    return IndexUnavailable(
        f"The index table cannot be read: {error}.",
        "Check RAG_HOME; 'ragline verify --repair' mends what it can.",
    )
