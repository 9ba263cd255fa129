"""The files under versions of a Lance dataset: what they hold, deleted rows included."""

import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from rag_assets.platform.errors import IndexUnavailable

if TYPE_CHECKING:
    from lance.file import LanceFileSession


class DatasetFiles:
    """Reads data files and index files of one dataset, and commits what Lance has no method for.

    Args:
        uri: of the dataset, ending in ``.lance``.
        options: object-store options.
    """

    def __init__(self, uri: str, options: Mapping[str, str] | None = None) -> None:
        os.environ.setdefault("LANCE_LOG", "error")
        self.uri = uri
        self.options = dict(options) if options else None
        self._ids: dict[str, frozenset[str]] = {}
        self._values: dict[str, frozenset[str]] = {}

    def at(self, version: int | str | None) -> Any:
        """The dataset at a version or tag; None: the head."""
        import lance

        return lance.dataset(self.uri, version, storage_options=self.options)

    def data_files(self, dataset: Any) -> dict[int, str]:
        """The data file of every fragment of a version.

        Raises:
            IndexUnavailable: a fragment has several; nothing in the platform writes such a table.
        """
        found = {}
        for fragment in dataset.get_fragments():
            paths = [file.path for file in fragment.data_files()]
            if len(paths) != 1:
                raise IndexUnavailable(
                    f"The index {self.uri} was changed by another program: a fragment has "
                    f"{len(paths)} data files.",
                    "Remove its folder and run 'ragline ingest' to rebuild it.",
                )
            found[int(fragment.fragment_id)] = str(paths[0])
        return found

    def has_data(self, path: str) -> bool:
        """Whether a data file is there; an untagged version may name others."""
        return self._session.contains(f"data/{path}")

    def has_values(self, uuid: str) -> bool:
        """Whether the values of a B-tree index are there."""
        return self._session.contains(_values_of(uuid))

    @cached_property
    def _session(self) -> "LanceFileSession":
        from lance.file import LanceFileSession

        return LanceFileSession(self.uri, self.options)

    def batches(self, path: str, columns: list[str] | None = None) -> Iterator[Any]:
        """All rows of a data file, deleted ones included, in the order of their places."""
        yield from self._reader(f"data/{path}", columns).read_all(batch_size=4096).to_batches()

    def document_ids(self, path: str) -> frozenset[str]:
        """The document ids in a data file; a file never changes, so it is read once."""
        if path not in self._ids:
            found: set[str] = set()
            for batch in self.batches(path, ["document_id"]):
                found.update(batch["document_id"].unique().to_pylist())
            self._ids[path] = frozenset(found - {None})
        return self._ids[path]

    def live_rows(self, dataset: Any) -> pl.Series:
        """The addresses of the rows of a version."""
        table = dataset.to_table(columns=["chunk_id"], with_row_address=True)
        return pl.Series("live", table["_rowaddr"].to_numpy())

    def index_names(self, dataset: Any) -> list[str]:
        """The names of the indices of a version."""
        return [index.name for index in dataset.describe_indices()]

    def indexed_columns(self, dataset: Any) -> list[str]:
        """The columns of a version that have an index."""
        return [index.field_names[0] for index in dataset.describe_indices()]

    def index_uuids(self, dataset: Any, column: str) -> list[str]:
        """The folders of the parts of a column's index in a version."""
        return [
            str(segment.uuid)
            for index in dataset.describe_indices()
            if index.field_names == [column]
            for segment in index.segments
        ]

    def indexed_values(self, uuid: str) -> frozenset[str]:
        """The values that a B-tree index keeps; all indices of a version are renewed together."""
        if uuid not in self._values:
            reader = self._reader(_values_of(uuid), ["values"])
            values = reader.read_all().to_table()["values"].unique().to_pylist()
            self._values[uuid] = frozenset(values) - {None}
        return self._values[uuid]

    def commit(self, operation: Any, dataset: Any) -> Any:
        """Commit an operation on a version; the dataset after it."""
        import lance

        return lance.LanceDataset.commit(
            self.uri, operation, read_version=dataset.version, storage_options=self.options
        )

    def build_indices(self, kinds: Mapping[str, Any]) -> None:
        """Build indices of the head from its rows, in place of those it has."""
        import lancedb

        folder, _, name = self.uri.removesuffix(".lance").rpartition("/")
        table = lancedb.connect(folder, storage_options=self.options).open_table(name)
        for column, config in kinds.items():
            table.create_index(column, config=config, replace=True)

    def made_indices(self, since: int) -> list[Any]:
        """The indices that the commits after a version have made."""
        import lance

        head = self.at(None)
        made: list[Any] = []
        for version in range(since + 1, head.version + 1):
            operation = head.read_transaction(version).operation
            if isinstance(operation, lance.LanceOperation.CreateIndex):
                made += operation.new_indices
        return made

    def replace_indices(self, dataset: Any, indices: list[Any]) -> None:
        """Give a version the indices of another, in place of its own, in one commit."""
        import lance
        from lance.dataset import Index

        own = [
            Index(segment.uuid, index.name, [], dataset.version, segment.fragment_ids, 0)
            for index in dataset.describe_indices()
            for segment in index.segments
        ]
        self.commit(lance.LanceOperation.CreateIndex(indices, own), dataset)

    def _reader(self, path: str, columns: list[str] | None) -> Any:
        from lance.file import LanceFileReader

        return LanceFileReader(f"{self.uri}/{path}", self.options, columns)


def _values_of(uuid: str) -> str:
    return f"_indices/{uuid}/page_data.lance"
