"""What the source of uploads holds now, beside what the last ingest found in it."""

import threading
import time
from typing import Any

import polars as pl

from rag_assets.erasure.requests import ErasureRequests
from rag_assets.platform.errors import SourceChanged, SourceUnavailable
from rag_assets.platform.platform import Platform
from rag_assets.raw_documents.base import Listed
from rag_assets.raw_documents.schema import RAW_DOCUMENTS
from rag_assets.raw_documents.sources import SourcePartition, open_partition

COLUMNS = pl.Schema(
    {
        "document_id": pl.String(),
        "source": pl.String(),
        "state": pl.String(),
        "title": pl.String(),
        "uri": pl.String(),
        "media_type": pl.String(),
        "size_bytes": pl.Int64(),
        "modified_at": pl.Datetime("us", "UTC"),
        "content_sha256": pl.String(),
        "acl": pl.List(pl.String()),
        "reason": pl.String(),
        "stale": pl.Boolean(),
    }
)
# how long a listing is good for; an upload through this process ends it earlier
LISTED_SECONDS = 1.0


class UploadListing:
    """Lists the source of uploads; safe to use from several threads.

    Args:
        platform: the deployment.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._lock = threading.Lock()
        self._kept: tuple[float, pl.DataFrame] | None = None

    def forget(self) -> None:
        """List again at the next call."""
        with self._lock:
            self._kept = None

    def compared(self, source: str, keys: list[str], known: pl.DataFrame) -> pl.DataFrame | None:
        """What is new, changed or gone since the last ingest.

        Args:
            source: of uploads.
            keys: its partitions.
            known: its documents as the tables have them, columns ``COLUMNS``.

        Returns:
            rows of ``COLUMNS``; None when the source cannot be listed.
        """
        with self._lock:
            kept = self._kept
        if kept is not None and time.monotonic() - kept[0] < LISTED_SECONDS:
            return kept[1]
        began = time.monotonic()
        forbidden = ErasureRequests(self._platform.database).forbidden()
        seen: list[tuple[SourcePartition, Listed]] = []
        try:
            for key in keys:
                shard = open_partition(self._platform.settings, key, forbidden)
                seen += [(shard, item) for item in shard.list() if not item.covers]
        except (SourceUnavailable, SourceChanged):
            return None
        frame = self._compared(source, seen, known, keys)
        with self._lock:
            self._kept = began, frame
        return frame

    def _compared(
        self,
        source: str,
        seen: list[tuple[SourcePartition, Listed]],
        known: pl.DataFrame,
        keys: list[str],
    ) -> pl.DataFrame:
        tables = self._platform.tables
        raw = pl.concat([tables.read("raw_documents", key, RAW_DOCUMENTS) for key in keys])
        signatures = dict(raw.select("document_id", "signature").iter_rows())
        waiting = [
            self._waiting(source, shard, item)
            for shard, item in seen
            if signatures.get(item.document_id) != item.signature
        ]
        present = {item.document_id for _, item in seen}
        gone = known.filter(~pl.col("document_id").is_in(pl.Series(sorted(present)).implode()))
        return pl.concat(
            [
                pl.DataFrame(waiting, schema=COLUMNS),
                gone.with_columns(state=pl.lit("deleted")),
            ]
        )

    def _waiting(self, source: str, shard: SourcePartition, item: Listed) -> dict[str, Any]:
        """A file that has not been ingested yet: who may read it stands in the file itself."""
        most = int(self._platform.settings.parsing.max_file_mb * 1_000_000)
        fetched = shard.fetch(item, most)
        return {
            "document_id": item.document_id,
            "source": source,
            "state": "pending",
            "title": fetched.title,
            "uri": item.uri,
            "media_type": item.media_type,
            "size_bytes": item.size_bytes,
            "modified_at": item.modified_at,
            "content_sha256": None,
            # a problem has an empty ACL: with authentication on, administrators see it
            "acl": fetched.acl,
            "reason": fetched.problem or "",
            "stale": False,
        }
