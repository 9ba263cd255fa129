"""What the erasers of Parquet tables share: rows go, and the stamps stay true.

A table's stamp names the digest of its rows and that of the table it was made from. The tables are
erased from the last to the first, so each eraser writes the digest that the table before it will
have without the document. After a crash at any point the next attempt finds either the rows or
nothing to do, and the chain of stamps is whole again when the first table is done.
"""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

import polars as pl

from rag_assets.platform.errors import StorageError
from rag_assets.platform.platform import Platform
from rag_assets.platform.storage import TEMPORARY_SUFFIX
from rag_assets.platform.tables import STAMP_KEY, Stamp
from rag_assets.platform.wording import counted

from .base import Erased, Found, Subject

LOCK_SECONDS = 900.0

Digest = Callable[[pl.DataFrame], str]


class Stored(NamedTuple):
    """One partition of a table as it is stored, whatever columns it has."""

    frame: pl.DataFrame
    stamp: Stamp


@dataclass(frozen=True)
class Digests:
    """The digest of a table now, and without the document; both "" when there is no table."""

    now: str = ""
    after: str = ""

    def relinked(self, upstream: str) -> str:
        """What a table that was made from this one has to name; one that is behind stays behind."""
        return self.after if upstream in (self.now, self.after) else upstream


def stored(platform: Platform, asset: str, partition: str) -> Stored | None:
    """Read one partition with its stamp; unlike ``Tables.read``, with the columns it really has.

    Raises:
        StorageError: the file is damaged.
    """
    key = platform.tables.key(asset, partition)
    try:
        content = platform.storage.read(key)
    except KeyError:
        return None
    try:
        text = pl.read_parquet_metadata(io.BytesIO(content)).get(STAMP_KEY)
        stamp = Stamp(**json.loads(text)) if text else Stamp("", "", "")
        return Stored(pl.read_parquet(io.BytesIO(content)), stamp)
    except Exception as error:
        raise StorageError(
            f"The table {key} cannot be read; the file is damaged.",
            "Delete that file and forget the document again: the table is rebuilt at an ingest.",
        ) from error


def without(frame: pl.DataFrame, document_id: str) -> pl.DataFrame:
    """The rows of other documents, in their order."""
    if "document_id" not in frame.columns:
        return frame
    return frame.filter(pl.col("document_id").ne_missing(pl.lit(document_id)))


def rows_of(frame: pl.DataFrame, document_id: str) -> pl.DataFrame:
    """The rows of the document."""
    if "document_id" not in frame.columns:
        return frame.clear()
    return frame.filter(pl.col("document_id") == document_id)


def digests(
    platform: Platform,
    asset: str,
    partition: str,
    document_id: str,
    schema: pl.Schema,
    digest: Digest,
) -> Digests:
    """The digests of a table whose digest follows from its rows.

    Args:
        schema: of the table; one with other columns keeps its digest: it is made anew anyway.
        digest: the stage's own function.
    """
    table = stored(platform, asset, partition)
    if table is None:
        return Digests()
    rest = without(table.frame, document_id)
    if rest.height == table.frame.height or table.frame.schema != schema:
        return Digests(table.stamp.digest, table.stamp.digest)
    return Digests(table.stamp.digest, digest(rest))


@contextmanager
def shard_lock(platform: Platform, partition: str) -> Iterator[None]:
    """Keep every stage of a shard from running meanwhile."""
    doing = f"forgetting a document of '{partition}'"
    with platform.lock(f"shard-{partition}", doing=doing, timeout=LOCK_SECONDS):
        yield


@contextmanager
def all_shards_locked(platform: Platform, partitions: list[str]) -> Iterator[None]:
    """Keep every stage of every shard from running meanwhile; locked in one order everywhere."""
    with ExitStack() as stack:
        for partition in sorted(set(partitions)):
            stack.enter_context(shard_lock(platform, partition))
        yield


class TableEraser:
    """Erases the document's rows from one table, shard by shard, under the shard's lock."""

    place: str
    asset: str

    def rewritten(
        self, platform: Platform, partition: str, table: Stored, subject: Subject
    ) -> Stored:
        """The table without the document, with the stamp that it then has."""
        raise NotImplementedError

    def traces(self, platform: Platform, table: Stored, subject: Subject) -> int:
        """Rows that hold something of the document."""
        return rows_of(table.frame, subject.document_id).height

    def find(self, platform: Platform, subject: Subject) -> Found:
        """Count the document's rows in every shard, retired ones included."""
        rows = found = 0
        partitions = platform.tables.partitions(self.asset)
        for partition in partitions:
            table = stored(platform, self.asset, partition)
            if table is not None:
                rows += table.frame.height
                found += self.traces(platform, table, subject)
        return Found(f"{counted(len(partitions), 'shard')}, {counted(rows, 'row')}", found)

    def erase(self, platform: Platform, subject: Subject) -> Erased:
        """Rewrite the tables that hold rows of the document."""
        removed = 0
        for partition in platform.tables.partitions(self.asset):
            with shard_lock(platform, partition):
                table = stored(platform, self.asset, partition)
                if table is None:
                    continue
                after = self.rewritten(platform, partition, table, subject)
                gone = table.frame.height - after.frame.height
                if gone or after.stamp != table.stamp:
                    platform.tables.write(self.asset, partition, after.frame, after.stamp)
                removed += gone
                prefix = platform.tables.key(self.asset, partition) + "."
                remove_leftovers(platform, prefix)
        return Erased(removed)


def remove_leftovers(platform: Platform, prefix: str) -> int:
    """Remove half-written files that a killed process left beside a key; how many there were.

    Call it only under the lock of those who write there.
    """
    folder = platform.storage.path(prefix.rpartition("/")[0])
    if folder is None or not folder.is_dir():
        return 0
    name = prefix.rpartition("/")[2]
    leftovers = [
        path
        for path in folder.rglob("*" + TEMPORARY_SUFFIX)
        if path.name.startswith(name) and path.is_file()
    ]
    for path in leftovers:
        path.unlink(missing_ok=True)
    return len(leftovers)


def restamped(stamp: Stamp, digest: str, upstream: str, **facts: object) -> Stamp:
    """The stamp with other digests; what it says of its run stays."""
    return replace(stamp, digest=digest, upstream=upstream, facts={**stamp.facts, **facts})
