"""What became of each document, for callers who may read it.

States are those of ``ragline status``: ``indexed`` (its present version is in the live release),
``empty``, ``quarantined``, ``pending``; and ``deleted`` for one that its source no longer has, and
that goes with the next release. New and changed files are looked for in the source of uploads, which
is small; what other sources list counts from their last ingest on.
"""

import threading
from dataclasses import dataclass
from typing import Any

import polars as pl
from cachetools import LRUCache

from rag_assets.chunks.schema import CHUNKS
from rag_assets.parsed_documents.schema import PARSED_DOCUMENTS
from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller, readable
from rag_assets.raw_documents.schema import RAW_DOCUMENTS
from rag_assets.raw_documents.sources import (
    partition_keys,
    shard_of,
)
from rag_assets.releases.opening import open_release
from rag_assets.releases.registry import Registry, Release

from .errors import NotFound
from .upload_listing import COLUMNS, UploadListing

STATES = ("indexed", "empty", "quarantined", "pending", "deleted")
# shards whose states are kept while nothing changes; a listing of many shards reads each once
KEPT_SHARDS = 64


@dataclass(frozen=True)
class Page:
    """Part of a list.

    Attributes:
        documents: rows of ``COLUMNS``.
        total: how many there are in all.
        next: where the next page begins; empty at the end.
    """

    documents: list[dict[str, Any]]
    total: int
    next: str


class Documents:
    """Reads the tables of a deployment; safe to use from several threads.

    Args:
        platform: the deployment.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._lock = threading.Lock()
        self._shards: LRUCache[str, tuple[Any, pl.DataFrame]] = LRUCache(KEPT_SHARDS)
        self._served: tuple[Any, pl.DataFrame] | None = None
        self._uploads = UploadListing(platform)

    def page(
        self,
        caller: Caller,
        *,
        source: str = "",
        state: str = "",
        prefix: str = "",
        after: str = "",
        limit: int = 50,
    ) -> Page:
        """A page of the documents that a caller may read, in the order of their ids.

        Args:
            caller: whose rights count.
            source, state, prefix: only documents of this source, in this state, whose id begins so.
            after: the ``next`` of the page before.
            limit: most documents.
        """
        sources = [source] if source else list(self._platform.settings.sources)
        frames = [self._of_source(name) for name in sources]
        frame = pl.concat([_empty(), *frames]).filter(readable(caller))
        if state:
            frame = frame.filter(pl.col("state") == state)
        if prefix:
            frame = frame.filter(pl.col("document_id").str.starts_with(prefix))
        frame = frame.sort("document_id")
        rest = frame.filter(pl.col("document_id") > after) if after else frame
        rows = rest.head(limit).to_dicts()
        following = rows[-1]["document_id"] if rest.height > limit else ""
        return Page(rows, frame.height, following)

    def get(self, document_id: str, caller: Caller) -> dict[str, Any]:
        """One document.

        Raises:
            NotFound: there is none of this id, or the caller may not read it.
        """
        source = document_id.partition("/")[0]
        settings = self._platform.settings.sources.get(source)
        if settings is not None:
            keys = [key for key in partition_keys(self._platform.settings) if _is_of(key, source)]
            frames = [self._states(keys[shard_of(document_id, settings.shards)])]
            if source == self._platform.settings.server.uploads_source:
                frames = [self._of_source(source)]
            this = pl.col("document_id") == document_id
            rows = pl.concat(frames).filter(this & readable(caller)).to_dicts()
            if rows:
                return rows[0]
        raise no_document(document_id)

    def look_again(self) -> None:
        """Forget the listing of uploads: one has just come or gone."""
        self._uploads.forget()

    def _of_source(self, source: str) -> pl.DataFrame:
        keys = [key for key in partition_keys(self._platform.settings) if _is_of(key, source)]
        known = pl.concat([_empty(), *(self._states(key) for key in keys)])
        if source != self._platform.settings.server.uploads_source:
            return known
        return _laid_over(known, self._uploads.compared(source, keys, known))

    def _states(self, partition: str) -> pl.DataFrame:
        """The documents of a shard as its tables have them."""
        tables, live = self._platform.tables, Registry(self._platform.database).live()
        names = ("raw_documents", "parsed_documents", "chunks")
        stamps = {name: tables.stamp(name, partition) for name in names}
        key = (live.id if live else 0, live.lance_version if live else 0, *stamps.values())
        with self._lock:
            kept = self._shards.get(partition)
        if kept is not None and kept[0] == key:
            return kept[1]
        frame = self._read_states(partition, live)
        with self._lock:
            self._shards[partition] = key, frame
        return frame

    def _read_states(self, partition: str, live: Release | None) -> pl.DataFrame:
        raw = self._platform.tables.read("raw_documents", partition, RAW_DOCUMENTS)
        parsed = self._platform.tables.read("parsed_documents", partition, PARSED_DOCUMENTS)
        on = ["document_id", "content_sha256"]
        details = parsed.select(*on, "status", "error", "stale", parsed_title="title")
        joined = raw.join(details, on=on, how="left", nulls_equal=True).join(
            self._served_by(live), on=on, how="left", nulls_equal=True
        )
        unread = pl.col("problem_kind").is_not_null() | (pl.col("status") == "quarantined")
        state = (
            pl.when(unread.fill_null(False))
            .then(pl.lit("quarantined"))
            .when(pl.col("status") == "empty")
            .then(pl.lit("empty"))
            .when(pl.col("served"))
            .then(pl.lit("indexed"))
            .when(pl.col("status") == "parsed")
            .then(self._without_chunks(partition))
            .otherwise(pl.lit("pending"))
        )
        return joined.with_columns(
            state=state,
            title=pl.coalesce("title", "parsed_title"),
            reason=pl.coalesce("problem", "error").fill_null(""),
            stale=pl.col("stale").fill_null(False),
        ).select(pl.col(name).cast(kind) for name, kind in COLUMNS.items())

    def _served_by(self, live: Release | None) -> pl.DataFrame:
        """Columns document_id, content_sha256 and served of what readers can see."""
        key = (live.id, live.table_name, live.lance_version) if live else None
        with self._lock:
            kept = self._served
        if kept is not None and kept[0] == key:
            return kept[1]
        schema = {"document_id": pl.String, "content_sha256": pl.String}
        frame = pl.DataFrame(schema=schema)
        if live is not None:
            frame = open_release(self._platform, live).documents().select(list(schema))
        frame = frame.with_columns(served=pl.lit(True))
        with self._lock:
            self._served = key, frame
        return frame

    def _without_chunks(self, partition: str) -> pl.Expr:
        """``empty`` where the chunking stage has seen the document and found nothing to cut."""
        parsed = self._platform.tables.stamp("parsed_documents", partition)
        stamp = self._platform.tables.stamp("chunks", partition)
        if stamp is None or parsed is None or stamp.upstream != parsed.digest:
            return pl.lit("pending")
        cut = self._platform.tables.read("chunks", partition, CHUNKS)["document_id"].unique()
        in_chunks = pl.col("document_id").is_in(cut.implode())
        return pl.when(in_chunks).then(pl.lit("pending")).otherwise(pl.lit("empty"))


def no_document(document_id: str) -> NotFound:
    """What is said of a document that does not exist, or that the caller may not read."""
    return NotFound(
        f"There is no document '{document_id[:200]}' that you may read.",
        "Ids are <source>/<path>; GET /v1/documents lists them.",
    )


def _laid_over(known: pl.DataFrame, listed: pl.DataFrame | None) -> pl.DataFrame:
    """What the tables say, corrected by what the source lists now."""
    if listed is None:
        return known
    others = known.join(listed.select("document_id"), on="document_id", how="anti")
    return pl.concat([others, listed])


def _empty() -> pl.DataFrame:
    return pl.DataFrame(schema=COLUMNS)


def _is_of(partition: str, source: str) -> bool:
    return partition == source or partition.startswith(source + "--")
