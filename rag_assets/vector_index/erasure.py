"""Erasing documents from retained versions of the index table, physically.

A data file that holds rows of the document is written once more with these rows blanked, in the same
places: the versions that shared the old file share the new one, and their deletions go on pointing to
the right rows. Then the blank rows are deleted and every index is built from what is left; a version
takes over the indices of the one before it where they hold for it.

New versions are made beside the old ones, which stay readable until ``retention.purge``. Only one
process may write meanwhile. When it dies, the next writer takes the head back (``resume_head``), and
running it again does everything again: nothing refers to the versions that were made in vain.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import polars as pl

from rag_assets.platform.errors import IndexUnavailable
from rag_assets.platform.storage import storage_errors

from .table import HEAD_TAG, MAX_UNINDEXED_ROWS, index_kinds, resume_head
from .version_files import DatasetFiles

# larger files would make more than one, and a file must replace a file
MAX_FILE_ROWS = 2**31


def erase_documents(
    uri: str,
    table: str,
    document_ids: Sequence[str],
    versions: Mapping[str, int],
    storage_options: dict[str, str] | None = None,
) -> Mapping[str, int]:
    """Make versions without some documents, of the head and of every retained version.

    Args:
        uri: the LanceDB folder or URL.
        table: the table's name.
        document_ids: of the documents.
        versions: tags of retained versions and their numbers.
        storage_options: object-store options.

    Returns:
        The same tags with the versions they should point to; a version that has never held a row of
        the documents keeps its number. The tags themselves are not moved. The head is the newest
        state without the documents.

    Raises:
        IndexUnavailable: a version cannot be read.
    """
    with _unreadable(uri, table, "erased from"):
        eraser = _Eraser(f"{uri}/{table}.lance", frozenset(document_ids), storage_options)
        return eraser.erase(versions)


def index_traces(
    uri: str,
    table: str,
    versions: Sequence[str | int],
    document_ids: Sequence[str],
    phrases: Sequence[str],
    storage_options: dict[str, str] | None = None,
) -> int:
    """Count what the files of some versions and of the head hold of documents, deleted rows included.

    Args:
        versions: their tags or numbers.
        document_ids: of the documents.
        phrases: texts that only they have.

    Returns:
        Rows of data files, each counted once however many versions share the file, and entries of
        indices over document ids. A file that is gone holds nothing.

    Raises:
        IndexUnavailable: a file cannot be read.
    """
    files = DatasetFiles(f"{uri}/{table}.lance", storage_options)
    ids = frozenset(document_ids)
    data: set[str] = set()
    indices: set[str] = set()
    with _unreadable(uri, table, "searched"):
        for dataset in [files.at(None), *(files.at(version) for version in versions)]:
            data |= set(files.data_files(dataset).values())
            indices |= set(files.index_uuids(dataset, "document_id"))
        rows = sum(
            _traces(files, path, ids, list(phrases))
            for path in sorted(data)
            if files.has_data(path)
        )
        entries = sum(
            len(files.indexed_values(uuid) & ids) for uuid in indices if files.has_values(uuid)
        )
    return rows + entries


@contextmanager
def _unreadable(uri: str, table: str, what: str) -> Iterator[None]:
    with storage_errors(f"{uri}/{table}"):
        try:
            yield
        except (RuntimeError, ValueError, OSError) as error:
            if getattr(error, "errno", None) is not None:
                raise  # the system's; the others are words of Lance about a file
            raise IndexUnavailable(
                f"The index table {table} cannot be {what}: {error}.",
                "Nothing was lost; run 'ragline verify --all', then the command again.",
            ) from error


def _traces(files: DatasetFiles, path: str, ids: frozenset[str], phrases: list[str]) -> int:
    columns = ["document_id", "text", "embed_text", "title"]
    found = 0
    for batch in files.batches(path, columns):
        frame = pl.from_arrow(batch)
        assert isinstance(frame, pl.DataFrame)
        traced = pl.col("document_id").is_in(list(ids))
        if phrases:
            for name in columns[1:]:
                traced |= pl.col(name).str.contains_any(phrases)
        found += frame.filter(traced.fill_null(value=False)).height
    return found


@dataclass(frozen=True)
class _Built:
    """A version whose indices were built from its rows: others may take them over."""

    files: dict[int, str]
    live: pl.Series
    columns: frozenset[str]
    indices: list[Any]


class _Eraser:
    """One erasure from one table."""

    def __init__(self, uri: str, ids: frozenset[str], options: dict[str, str] | None) -> None:
        self._files = DatasetFiles(uri, options)
        self._ids = ids
        self._blank: dict[str, Any] = {}
        self._built: list[_Built] = []
        resume_head(uri, options)

    def erase(self, versions: Mapping[str, int]) -> Mapping[str, int]:
        head = self._files.at(None)
        # oldest first, so that the head is the last one, and later ones find indices to take over
        numbers = sorted({*versions.values(), head.version})
        touched = [number for number in numbers if self._knows(number)]
        if not touched:
            return dict(versions)
        head.tags.create(HEAD_TAG, head.version)
        renewed = {number: self._renew(number) for number in touched}
        if head.version not in renewed:
            self._files.at(head.version).restore()
        head.tags.delete(HEAD_TAG)
        return {tag: renewed.get(number, number) for tag, number in versions.items()}

    def _knows(self, version: int) -> bool:
        """Whether any file of a version holds a row of the documents, deleted ones included."""
        dataset = self._files.at(version)
        data = self._files.data_files(dataset).values()
        uuids = self._files.index_uuids(dataset, "document_id")
        return any(self._files.document_ids(path) & self._ids for path in data) or any(
            self._files.indexed_values(uuid) & self._ids for uuid in uuids
        )

    def _renew(self, version: int) -> int:
        """Write a version anew without the documents; its number. The head is that version then."""
        import lance

        old = self._files.at(version)
        columns = frozenset(self._files.indexed_columns(old))
        old.restore()
        dataset = self._files.at(None)
        groups = [
            lance.LanceOperation.DataReplacementGroup(number, self._blanked(dataset, path))
            for number, path in self._files.data_files(dataset).items()
            if self._files.document_ids(path) & self._ids
        ]
        if groups:
            dataset = self._files.commit(lance.LanceOperation.DataReplacement(groups), dataset)
            dataset.delete("document_id IS NULL")
        self._index(self._files.at(None), columns)
        return int(self._files.at(None).version)

    def _blanked(self, dataset: Any, path: str) -> Any:
        """The data file that stands in for one with rows of the documents; written once."""
        if path not in self._blank:
            import pyarrow as pa
            from lance.fragment import write_fragments

            batches = self._without(path, dataset.schema)
            written = write_fragments(
                pa.RecordBatchReader.from_batches(dataset.schema, batches),
                dataset.uri,
                mode="append",
                max_rows_per_file=MAX_FILE_ROWS,
                storage_options=self._files.options,
            )
            ((file,),) = [fragment.files for fragment in written]
            self._blank[path] = file
        return self._blank[path]

    def _without(self, path: str, schema: Any) -> Iterator[Any]:
        import pyarrow as pa
        import pyarrow.compute as pc

        ids = pa.array(sorted(self._ids))
        for batch in self._files.batches(path):
            gone = pc.is_in(batch["document_id"], ids)
            places = pa.array(range(batch.num_rows), pa.int64())
            kept = pc.if_else(gone, pa.scalar(None, pa.int64()), places)
            yield batch.take(kept).cast(schema)

    def _index(self, dataset: Any, columns: frozenset[str]) -> None:
        """Give the head the indices it had, without a trace of the documents."""
        if not columns:
            return
        files, live = self._files.data_files(dataset), self._files.live_rows(dataset)
        if live.is_empty():
            for name in self._files.index_names(dataset):
                dataset.drop_index(name)
            return
        for built in reversed(self._built):
            if _holds_for(built, files, live, columns):
                self._files.replace_indices(dataset, built.indices)
                return
        before = dataset.version
        kinds = index_kinds(vectors="vector" in columns)
        self._files.build_indices({name: kinds[name] for name in sorted(columns)})
        made = self._files.made_indices(before)
        self._built.append(_Built(files, live, columns, made))


def _holds_for(
    built: _Built, files: dict[int, str], live: pl.Series, columns: frozenset[str]
) -> bool:
    """Whether indices of one version find all rows of another, but for a few that are scanned."""
    fragment = live // 2**32  # a row's address is its fragment and its place in it
    covered = fragment.is_in(list(built.files))
    same = all(built.files.get(number, path) == path for number, path in files.items())
    return (
        same
        and columns == built.columns
        and bool(live.filter(covered).is_in(built.live.implode()).all())
        and live.len() - int(covered.sum()) <= MAX_UNINDEXED_ROWS
    )
