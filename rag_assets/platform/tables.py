"""Tables at rest: one Parquet file per asset and partition, with its stamp inside the file.

The stamp (in the Parquet key-value metadata, so it is replaced in the same atomic rename as the
rows) says what the table was made from. A stage is up to date when its stamp names the current
digest of its upstream table and the current fingerprint of its own configuration; that is all that
is needed to know what is pending, and it is read without loading Dagster or the rows.
"""

import io
import json
from dataclasses import asdict, dataclass, field
from typing import Any

import polars as pl

from .errors import StorageError
from .storage import LocalStorage, Storage

STAMP_KEY = "ragline"


@dataclass(frozen=True)
class Stamp:
    """What a stored table is and was made from.

    Attributes:
        digest: fingerprint of the content that downstream stages depend on.
        upstream: digest of the upstream table it was made from ("" for a source).
        fingerprint: fingerprint of the stage's own configuration.
        run_id: the Dagster run that wrote it.
        written_at: UTC time of the write, ISO 8601.
        facts: numbers about the table (rows, counts by state, …).
    """

    digest: str
    upstream: str
    fingerprint: str
    run_id: str = ""
    written_at: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


class Tables:
    """Reads and writes the Parquet tables of the platform.

    Args:
        storage: the storage under RAG_HOME.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    @staticmethod
    def key(asset: str, partition: str) -> str:
        """The storage key of a partition of a table; of the table itself where it has none ("")."""
        return f"tables/{asset}/{partition}.parquet" if partition else f"tables/{asset}.parquet"

    def read(self, asset: str, partition: str, schema: pl.Schema) -> pl.DataFrame:
        """Read one partition; an empty table of ``schema`` when there is none yet.

        A table written with other columns (by another version) counts as absent: everything in it
        can be derived again.
        """
        source = self._source(asset, partition)
        if source is None:
            return schema.to_frame()
        try:
            frame = pl.read_parquet(source)
        except FileNotFoundError:
            return schema.to_frame()
        except Exception as error:
            raise self._damaged(asset, partition) from error
        return frame if frame.schema == schema else schema.to_frame()

    def stamp(self, asset: str, partition: str) -> Stamp | None:
        """Read only the stamp of one partition, or ``None`` when there is no such table."""
        source = self._source(asset, partition)
        if source is None:
            return None
        try:
            text = pl.read_parquet_metadata(source).get(STAMP_KEY)
        except FileNotFoundError:
            return None
        except Exception as error:
            raise self._damaged(asset, partition) from error
        return Stamp(**json.loads(text)) if text else None

    def write(self, asset: str, partition: str, frame: pl.DataFrame, stamp: Stamp) -> int:
        """Replace one partition atomically; returns the bytes written."""
        metadata = {STAMP_KEY: json.dumps(asdict(stamp))}
        key = self.key(asset, partition)
        if isinstance(self._storage, LocalStorage):
            with self._storage.writing(key, durable=True) as temporary:
                frame.write_parquet(temporary, metadata=metadata)
                size = temporary.stat().st_size
            return size
        buffer = io.BytesIO()
        frame.write_parquet(buffer, metadata=metadata)
        self._storage.write(key, buffer.getvalue())
        return buffer.tell()

    def partitions(self, asset: str) -> list[str]:
        """The partitions of a table that are stored."""
        prefix = f"tables/{asset}/"
        return [
            key.removeprefix(prefix).removesuffix(".parquet")
            for key in self._storage.list(prefix)
            if key.endswith(".parquet")
        ]

    def drop(self, asset: str, partition: str) -> None:
        """Remove one partition."""
        self._storage.delete(self.key(asset, partition))

    def _source(self, asset: str, partition: str) -> Any:
        key = self.key(asset, partition)
        path = self._storage.path(key)
        if path is not None:
            return path if path.exists() else None
        try:
            return io.BytesIO(self._storage.read(key))
        except KeyError:
            return None

    def _damaged(self, asset: str, partition: str) -> StorageError:
        return StorageError(
            f"The table {self.key(asset, partition)} cannot be read; the file is damaged.",
            "Delete that file and run 'ragline ingest': it is rebuilt from the stages before it.",
        )
