"""The writer's side of the LanceDB table: shards are replaced in one commit, versions are tagged."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from rag_assets.platform.errors import IndexUnavailable
from rag_assets.platform.storage import storage_errors

from .probes import probes
from .schema import index_schema
from .sql import quoted

# longer lists of removed rows make slow filters; then the whole shard is written in the one commit
MAX_LISTED_REMOVALS = 2000
# below this many rows an exact scan is quick and needs no index (5 ms at 10,000 x 384)
VECTOR_INDEX_ROWS = 10_000
# unindexed rows are scanned by every query: beyond this many the indices are brought up to date
MAX_UNINDEXED_ROWS = 512
# names the head while an erasure writes old versions anew
HEAD_TAG = "head-before-erasure"


@dataclass(frozen=True)
class Commit:
    """What one commit did to the table: rows written, rows removed, the version after it."""

    written: int
    removed: int
    version: int


def table_name(configuration: str) -> str:
    """The table of a configuration fingerprint: a new configuration builds a table beside the old."""
    return f"chunks_{configuration[:16]}"


class IndexTable:
    """One LanceDB table, opened for writing.

    Args:
        uri: the LanceDB folder or URL.
        name: the table's name.
        dimensions: length of its vectors.
        storage_options: object-store options.

    Raises:
        IndexUnavailable: the table cannot be opened, or has other columns.
    """

    def __init__(
        self, uri: str, name: str, dimensions: int, storage_options: dict[str, str] | None = None
    ) -> None:
        os.environ.setdefault("LANCE_INCLUDE_VECTOR_CENTROIDS", "false")
        os.environ.setdefault("LANCE_LOG", "error")
        import lancedb

        schema = index_schema(dimensions)
        try:
            with storage_errors(f"{uri}/{name}"):
                connection = lancedb.connect(uri, storage_options=storage_options or None)
                self._table: Any = connection.create_table(name, schema=schema, exist_ok=True)
        except (RuntimeError, ValueError) as error:
            raise IndexUnavailable(
                f"The index table {uri}/{name} cannot be opened: {error}.",
                "Restore it, or remove its folder and run 'ragline ingest' to rebuild it.",
            ) from error
        self._dimensions = dimensions
        self._uri = f"{uri}/{name}.lance"
        self._storage_options = storage_options

    @property
    def version(self) -> int:
        """The Lance version that the next reader of the newest state would see."""
        return int(self._table.version)

    def count(self, condition: str | None = None) -> int:
        """How many rows there are, or satisfy a SQL condition."""
        return int(self._table.count_rows(condition))

    def stored(self, partition: str) -> pl.DataFrame:
        """Columns chunk_id and row_sha256 of a shard's rows."""
        query = self._table.search().where(f"partition = {quoted(partition)}")
        found = pl.from_arrow(query.select(["chunk_id", "row_sha256"]).to_arrow())
        assert isinstance(found, pl.DataFrame)
        return found

    def commit_shard(
        self,
        partition: str,
        write: pl.DataFrame,
        remove: list[str],
        everything: Callable[[], pl.DataFrame],
    ) -> Commit:
        """Bring a shard's rows up to date in one commit.

        Args:
            partition: the shard's partition key.
            write: rows to insert or replace, with their vectors.
            remove: chunk_ids of the shard to remove.
            everything: gives all rows of the shard with vectors; asked only when so many rows go
                that the whole shard is better replaced.
        """
        if write.is_empty() and not remove:
            return Commit(0, 0, self.version)
        condition = f"partition = {quoted(partition)}"
        if len(remove) > MAX_LISTED_REMOVALS:
            write = everything()
        elif remove:
            condition += f" AND chunk_id IN ({', '.join(quoted(item) for item in remove)})"
        merge = (
            self._table.merge_insert("chunk_id")
            .when_matched_update_all()
            .when_not_matched_insert_all()
        )
        if remove:
            merge = merge.when_not_matched_by_source_delete(condition)
        with storage_errors("the vector index"):
            try:
                result = merge.execute(self._arrow(write))
            except RuntimeError as error:
                raise _commit_error(error) from error
        return Commit(write.height, int(result.num_deleted_rows), self.version)

    def _arrow(self, rows: pl.DataFrame) -> Any:
        schema = index_schema(self._dimensions)
        return rows.select(schema.names).to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema)

    def resume_head(self) -> None:
        """Take back the head that an interrupted erasure left aside; see the function below."""
        if resume_head(self._uri, self._storage_options):
            self._table.checkout_latest()

    def prepare(self, *, force: bool = False, resume: bool = True) -> None:
        """Create the indices the table deserves and bring them up to date (new Lance versions).

        Args:
            force: bring them up to date however few rows they do not know.
            resume: take back a head that was left aside; not while it is being left aside.
        """
        if resume:
            self.resume_head()
        rows = self.count()
        if not rows:
            return
        present = {tuple(index.columns): index for index in self._table.list_indices()}
        for column, config in index_kinds(vectors=rows >= VECTOR_INDEX_ROWS).items():
            if (column,) not in present:
                self._table.create_index(column, config=config)
        unindexed = max((index.num_unindexed_rows or 0 for index in present.values()), default=0)
        if unindexed > (0 if force else MAX_UNINDEXED_ROWS):
            # LanceDB's own optimize also removes versions after a week, and fails at tagged ones
            dataset = self._table.to_lance()
            dataset.optimize.compact_files()
            dataset.optimize.optimize_indices()
            self._table.checkout_latest()

    def indices(self) -> dict[str, dict[str, int | str]]:
        """Per indexed column: kind, indexed and unindexed rows."""
        return {
            index.columns[0]: {
                "kind": index.index_type,
                "indexed": index.num_indexed_rows or 0,
                "unindexed": index.num_unindexed_rows or 0,
            }
            for index in self._table.list_indices()
        }

    def tag(self, name: str, version: int) -> None:
        """Give a version a name that protects it from clean-up; the same tag may be set again."""
        tags = self._table.tags
        if name in tags.list():
            tags.update(name, version)
        else:
            tags.create(name, version)

    def tags(self) -> dict[str, int]:
        """Tags and their versions."""
        return {name: int(tag["version"]) for name, tag in self._table.tags.list().items()}

    def sample_vectors(self, limit: int) -> Any:
        """Up to ``limit`` vectors spread over the table: float32, shape (n, dimensions)."""
        import numpy as np

        if not self.count():
            return np.zeros((0, self._dimensions), dtype=np.float32)
        return np.stack(self._sample(limit, ["vector"])["vector"].to_numpy())

    def sample_texts(self, limit: int) -> tuple[list[str], Any]:
        """Up to ``limit`` embedded texts spread over the table, with their vectors as above."""
        import numpy as np

        if not self.count():
            return [], np.zeros((0, self._dimensions), dtype=np.float32)
        taken = self._sample(limit, ["embed_text", "vector"])
        return taken["embed_text"].to_pylist(), np.stack(taken["vector"].to_numpy())

    def _sample(self, limit: int, columns: list[str]) -> Any:
        import numpy as np

        rows = self.count()
        offsets = np.unique(np.linspace(0, rows - 1, min(limit, rows)).astype(int)).tolist()
        return self._table.take_offsets(offsets).select(columns).to_arrow()

    def nearest(self, vector: Any, limit: int) -> list[str]:
        """The chunk_ids nearest to a vector by cosine, found as readers find them."""
        query = self._table.search(vector, vector_column_name="vector").distance_type("cosine")
        found = query.nprobes(probes(self.count())).select(["chunk_id", "_distance"]).limit(limit)
        return list(found.to_arrow()["chunk_id"].to_pylist())

    def nearest_exactly(self, vectors: Any, limit: int) -> list[list[str]]:
        """The chunk_ids nearest to each of some unit vectors by cosine, in one pass over the table.

        Args:
            vectors: float32, shape (n, dimensions).
            limit: most chunk_ids of each.
        """
        import numpy as np

        scores = np.zeros((len(vectors), 0), dtype=np.float32)
        ids = np.zeros((len(vectors), 0), dtype=object)
        for batch in self._table.to_lance().to_batches(columns=["chunk_id", "vector"]):
            flat = batch["vector"].flatten().to_numpy()
            more = vectors @ flat.reshape(-1, self._dimensions).T
            names = np.array(batch["chunk_id"].to_pylist(), dtype=object)
            scores = np.concatenate([scores, more], axis=1)
            ids = np.concatenate([ids, np.broadcast_to(names, more.shape)], axis=1)
            best = np.argsort(-scores, axis=1, kind="stable")[:, :limit]
            scores = np.take_along_axis(scores, best, axis=1)
            ids = np.take_along_axis(ids, best, axis=1)
        return [list(row) for row in ids]

    def vector_index_id(self) -> str:
        """Which vector index the newest version has; it changes when the index is built anew."""
        found = self._table.to_lance().describe_indices()
        parts = [
            str(segment.uuid)
            for index in found
            if "vector" in index.field_names
            for segment in index.segments
        ]
        return ",".join(sorted(parts))


def index_kinds(*, vectors: bool) -> dict[str, Any]:
    """The index of every column that has one.

    Args:
        vectors: whether there are enough rows for an index over the vectors.
    """
    from lancedb.index import FTS, Bitmap, BTree, IvfFlat, LabelList

    kinds: dict[str, Any] = {
        "embed_text": FTS(with_position=False),
        "chunk_id": BTree(),
        "document_id": BTree(),
        "partition": BTree(),
        "readers": LabelList(),
        "attribute_values": LabelList(),
        "source": Bitmap(),
        "modified_at": BTree(),
    }
    return kinds | ({"vector": IvfFlat(distance_type="cosine")} if vectors else {})


def resume_head(uri: str, storage_options: dict[str, str] | None = None) -> bool:
    """Take back the head that an interrupted erasure or repair has left aside; whether there was one.

    While old versions are written anew, the newest version of the table is not what its shards say.
    Every writer calls this first, under the lock that an erasure holds too.

    Args:
        uri: of the Lance dataset.
        storage_options: object-store options.
    """
    import lance

    dataset: Any = lance.dataset(uri, storage_options=storage_options or None)
    left = dataset.tags.list().get(HEAD_TAG)
    if left is None:
        return False
    if int(left["version"]) != dataset.version:
        lance.dataset(uri, HEAD_TAG, storage_options=storage_options or None).restore()
    dataset.tags.delete(HEAD_TAG)
    return True


def _commit_error(error: RuntimeError) -> Exception:
    from rag_assets.platform.errors import StorageFull

    if "No space left" in str(error) or "os error 28" in str(error):
        return StorageFull(
            "No space left while writing the vector index; the commit was not made.",
            "Free some space (or move RAG_HOME) and run the command again.",
        )
    return IndexUnavailable(
        f"The commit to the vector index failed: {error}.", "Run the command again."
    )
