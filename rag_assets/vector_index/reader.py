"""The reader's side of a released version: exact columns, prefiltered, pinned to one version.

It reads with ``lance``, the format library under LanceDB: the same files and the same answers, at a
third of the import time, which a cold ``ragline search`` feels.
"""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import polars as pl

from rag_assets.platform.errors import IndexUnavailable

from .probes import probes
from .sql import quoted

# what leaves the index with a hit; the vector stays inside
HIT_COLUMNS = (
    "chunk_id",
    "document_id",
    "source",
    "ordinal",
    "title",
    "text",
    "heading_path",
    "char_start",
    "char_end",
    "page_first",
    "page_last",
    "page_breaks",
    "token_count",
    "uri",
    "media_type",
    "acl",
    "attributes",
    "modified_at",
    "content_sha256",
    "stale",
)


KEYS = ("chunk_id", "document_id")


# what Lance says when a file is missing, damaged or out of reach
UNREADABLE = ("External error", "Not found", "LanceError(IO)", "IO error", "orrupt")


class Leg(NamedTuple):
    """What one search found, best first: row ids, keys and scores, of equal length."""

    row_id: list[int]
    chunk_id: list[str]
    document_id: list[str]
    score: list[float]


class IndexReader:
    """One version of one index table, read-only.

    Args:
        uri: the LanceDB folder or URL.
        table: the table's name.
        version: a Lance version or tag.
        storage_options: object-store options.

    Raises:
        IndexUnavailable: the version cannot be opened.
    """

    def __init__(
        self,
        uri: str,
        table: str,
        version: int | str,
        storage_options: dict[str, str] | None = None,
    ) -> None:
        os.environ.setdefault("LANCE_LOG", "error")
        import lance

        try:
            self._dataset: Any = lance.dataset(
                f"{uri}/{table}.lance", version=version, storage_options=storage_options or None
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise IndexUnavailable(
                f"Version {version} of the index table {table} cannot be opened: {error}.",
                "Check RAG_HOME; 'ragline ingest --full' builds the index again.",
            ) from error

    def dense(self, vector: Any, limit: int, condition: str | None) -> Leg:
        """The chunks nearest to a unit vector, scored by cosine similarity.

        Args:
            vector: float32, shape (dimensions,).
            limit: most chunks.
            condition: SQL prefilter; what it excludes is never scored.
        """
        found = self._scan(
            nearest={
                "column": "vector",
                "q": vector,
                "k": limit,
                "metric": "cosine",
                "nprobes": self._probes,
            },
            columns=[*KEYS, "_distance"],
            condition=condition,
            with_row_id=True,
        )
        return _leg(found, 1 - found["_distance"].to_numpy())

    def full_text(self, text: str, limit: int, condition: str | None) -> Leg:
        """The chunks that match the words of a text best, scored by BM25 (unbounded).

        Nothing is found by a text without words.
        """
        from lance.query import MatchQuery

        if not self._has_full_text:
            return Leg([], [], [], [])
        found = self._scan(
            full_text_query=MatchQuery(text, "embed_text"),
            columns=[*KEYS, "_score"],
            condition=condition,
            limit=limit,
            with_row_id=True,
        )
        return _leg(found, found["_score"].to_numpy())

    def rows(self, row_ids: Sequence[int]) -> pl.DataFrame:
        """``HIT_COLUMNS`` and ``_rowid`` of some rows, in no particular order.

        Args:
            row_ids: from a leg of this reader: they were prefiltered then, and a version does not
                change.
        """
        if not len(row_ids):
            return self._empty()
        listed = ", ".join(str(int(row)) for row in row_ids)
        return _frame(
            self._scan(
                condition=f"_rowid IN ({listed})", columns=list(HIT_COLUMNS), with_row_id=True
            )
        )

    def neighbours(
        self, ordinals: Mapping[str, Sequence[int]], condition: str | None
    ) -> pl.DataFrame:
        """``HIT_COLUMNS`` of chunks by document and ordinal, as far as the condition allows."""
        wanted = [
            f"(document_id = {quoted(document)} AND ordinal IN ({', '.join(map(str, numbers))}))"
            for document, numbers in ordinals.items()
            if numbers
        ]
        if not wanted:
            return self._empty()
        return _frame(
            self._scan(
                condition=_both(f"({' OR '.join(wanted)})", condition), columns=list(HIT_COLUMNS)
            )
        )

    def chunks(self, chunk_ids: Sequence[str], condition: str | None) -> pl.DataFrame:
        """All columns but the vector of chunks by id, as far as the condition allows."""
        columns = [name for name in self._dataset.schema.names if name != "vector"]
        if not chunk_ids:
            return self._empty()
        listed = ", ".join(quoted(item) for item in chunk_ids)
        return _frame(
            self._scan(condition=_both(f"chunk_id IN ({listed})", condition), columns=columns)
        )

    def documents(self) -> pl.DataFrame:
        """Columns document_id, content_sha256, chunks: the documents that this version serves."""
        frame = _frame(self._table(columns=["document_id", "content_sha256"]))
        return frame.group_by("document_id", "content_sha256").agg(chunks=pl.len())

    def acls(self) -> pl.DataFrame:
        """Columns document_id and acl of every document that this version serves."""
        frame = _frame(self._table(columns=["document_id", "acl"]))
        return frame.unique("document_id", keep="first")

    @property
    def columns(self) -> frozenset[str]:
        """The columns that the version has."""
        return frozenset(self._dataset.schema.names)

    def read(self, columns: Sequence[str], condition: str | None = None) -> pl.DataFrame:
        """Some columns of every chunk, or of those that satisfy a condition."""
        return _frame(self._scan(condition, columns=list(columns)))

    def count(self) -> int:
        """How many chunks the version holds."""
        return int(self._dataset.count_rows())

    @cached_property
    def _probes(self) -> int:
        return probes(self.count())

    @cached_property
    def _has_full_text(self) -> bool:
        """Whether this version has a full-text index; a version does not change."""
        return any(index.name == "embed_text_idx" for index in self._dataset.describe_indices())

    def _scan(self, condition: str | None, **arguments: Any) -> Any:
        return self._table(filter=condition, prefilter=True, **arguments)

    def _table(self, **arguments: Any) -> Any:
        try:
            return self._dataset.to_table(**arguments)
        except (OSError, RuntimeError, ValueError) as error:
            if not _is_unreadable(error):
                raise
            raise IndexUnavailable(
                f"The index table cannot be read: {error}.",
                "Check RAG_HOME; 'ragline ingest --full' builds the index again.",
            ) from error

    def _empty(self) -> pl.DataFrame:
        return _frame(self._dataset.schema.empty_table().select(list(HIT_COLUMNS)))


def _is_unreadable(error: Exception) -> bool:
    """Whether storage failed; a query that Lance refuses is another matter, and ours to correct.

    Lance hands both on as ``ArrowInvalid`` or ``RuntimeError``; only the words differ.
    """
    return isinstance(error, OSError) or any(words in str(error) for words in UNREADABLE)


def _leg(found: Any, score: Any) -> Leg:
    rows, chunks, documents = (found[name].to_pylist() for name in ("_rowid", *KEYS))
    return Leg(rows, chunks, documents, score.astype("float64").tolist())


def _frame(table: Any) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _both(condition: str, other: str | None) -> str:
    return condition if other is None else f"{condition} AND ({other})"
