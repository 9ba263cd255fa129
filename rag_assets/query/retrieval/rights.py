"""Rights as they are now, laid over a version of the index that remembers them as they were.

A version keeps the ACLs of the day it was made. Until the next release is live, and whenever an
older one is asked, what has been forbidden since must stay forbidden: a version can never give
more than both its own ACL and the present manifest allow.
"""

import threading
import time

import polars as pl

from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller, readable
from rag_assets.raw_documents.schema import RAW_DOCUMENTS
from rag_assets.vector_index.reader import IndexReader
from rag_assets.vector_index.sql import quoted

CHECK_SECONDS = 2.0


class PresentRights:
    """Documents of one version whose ACL in the manifest is another one now.

    Args:
        platform: where the manifests are.
        reader: the version.
    """

    def __init__(self, platform: Platform, reader: IndexReader) -> None:
        self._platform = platform
        self._reader = reader
        self._lock = threading.Lock()
        self._checked = float("-inf")
        self._digests: dict[str, str] = {}
        self._changed = pl.DataFrame(schema={"document_id": pl.String, "acl": pl.List(pl.String)})

    def condition(self, caller: Caller) -> str | None:
        """A SQL prefilter for what the caller may not read any more; ``None`` when there is none."""
        changed = self._refreshed()
        if changed.is_empty():
            return None
        forbidden = changed.filter(~readable(caller))["document_id"]
        if forbidden.is_empty():
            return None
        return f"document_id NOT IN ({', '.join(quoted(item) for item in forbidden)})"

    def _refreshed(self) -> pl.DataFrame:
        if time.monotonic() - self._checked < CHECK_SECONDS:
            return self._changed
        with self._lock:
            looked = time.monotonic()  # what changes while this looks may be missed
            if looked - self._checked >= CHECK_SECONDS:
                self._refresh()
                self._checked = looked
        return self._changed

    def _refresh(self) -> None:
        tables = self._platform.tables
        stamps = {name: tables.stamp("raw_documents", name) for name in self._manifests()}
        digests = {name: stamp.digest for name, stamp in stamps.items() if stamp is not None}
        if digests == self._digests:
            return
        now = pl.concat(
            [
                RAW_DOCUMENTS.to_frame(),
                *(tables.read("raw_documents", name, RAW_DOCUMENTS) for name in digests),
            ]
        ).select("document_id", acl=_normal("acl"))
        then = self._reader.acls().select("document_id", then=_normal("acl"))
        both = now.join(then, on="document_id", how="inner")
        self._changed = both.filter(pl.col("acl") != pl.col("then")).select("document_id", "acl")
        self._digests = digests

    def _manifests(self) -> list[str]:
        return self._platform.tables.partitions("raw_documents")


def _normal(name: str) -> pl.Expr:
    """ACLs compare as sorted lists; no ACL and an empty one are the same."""
    return pl.col(name).fill_null([]).list.unique().list.sort()
