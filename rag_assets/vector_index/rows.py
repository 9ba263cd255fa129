"""Pure functions from the tables of a shard to the rows its part of the index must have."""

import hashlib
import json
from bisect import bisect_left, bisect_right
from typing import Any

import polars as pl

from .schema import INDEX_ROWS, NO_ACL, PORTABLE_COLUMNS, PROVENANCE

UNIT_SEPARATOR = "\x1f"
RECORD_SEPARATOR = "\x1e"
NOTHING = "\x00"
# what a row says; texts are in it by their hashes, the rest follows from other columns
_UNHASHED = {*PROVENANCE, "row_sha256", "text", "embed_text", "attribute_values", "readers"}
HASHED_COLUMNS = [name for name in INDEX_ROWS if name not in _UNHASHED]


def index_rows(
    raw: pl.DataFrame,
    parsed: pl.DataFrame,
    chunks: pl.DataFrame,
    embeddings: pl.DataFrame,
    partition: str,
    run_id: str,
) -> pl.DataFrame:
    """The rows that the index must hold for a shard, without their vectors.

    Args:
        raw: the shard's manifest (RAW_DOCUMENTS).
        parsed: its parsed documents (PARSED_DOCUMENTS).
        chunks: its chunks (CHUNKS).
        embeddings: columns embed_sha256 and run_id of its vectors of the configured encoder.
        partition: the shard's partition key.
        run_id: the run that would write them.

    Returns:
        INDEX_ROWS, sorted by chunk_id. Chunks of documents that are not in the manifest, or that
        may not serve, have no row.
    """
    serving = parsed.filter(pl.col("text").is_not_null()).select(
        "document_id",
        "title",
        "stale",
        "parser",
        "page_starts",
        content_sha256=pl.col("served_sha256"),
        parse_run_id=pl.col("run_id"),
    )
    documents = raw.select(
        "document_id",
        "source",
        "uri",
        "media_type",
        "acl",
        "attributes",
        "modified_at",
        attribute_values=pl.col("attributes").map_elements(
            attribute_values, return_dtype=pl.List(pl.String)
        ),
        readers=readers(),
        raw_run_id=pl.col("run_id"),
    ).join(serving, on="document_id", how="inner")
    rows = (
        chunks.rename({"run_id": "chunk_run_id"})
        .drop("text_sha256")
        .join(documents, on="document_id", how="inner")
        .join(
            embeddings.select("embed_sha256", embed_run_id=pl.col("run_id")),
            on="embed_sha256",
            how="left",
        )
        .with_columns(
            partition=pl.lit(partition),
            run_id=pl.lit(run_id),
            page_breaks=pl.struct("page_starts", "char_start", "char_end").map_elements(
                _page_breaks, return_dtype=pl.List(pl.Int64)
            ),
        )
    )
    rows = rows.with_columns(row_sha256=row_digests(rows, HASHED_COLUMNS))
    return rows.select(list(INDEX_ROWS)).cast(INDEX_ROWS).sort("chunk_id")


def _page_breaks(row: dict[str, Any]) -> list[int]:
    """Where pages begin inside a chunk; pages without text begin where the next one does."""
    starts = row["page_starts"] or []
    inside = slice(bisect_right(starts, row["char_start"]), bisect_left(starts, row["char_end"]))
    return list(starts[inside])


def readers() -> pl.Expr:
    """Who may read, from a column ``acl``, in one list that an index can answer from.

    A document without an ACL gets ``NO_ACL`` for its only reader; an ACL that names nobody, because
    its entries are blank, has no reader at all.
    """
    named = pl.col("acl").list.filter(pl.element() != NO_ACL)
    absent = pl.col("acl").is_null() | (pl.col("acl").list.len() == 0)
    return pl.when(absent).then(pl.lit([NO_ACL], dtype=pl.List(pl.String))).otherwise(named)


def attribute_values(attributes: str) -> list[str]:
    """What filters on attributes compare with: ``name=value``, one entry an element of a list.

    Args:
        attributes: a JSON object; values that are objects themselves cannot be filtered by.
    """
    found: set[str] = set()
    for name, value in json.loads(attributes or "{}").items():
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, dict | list):
                found.add(f"{name}={item if isinstance(item, str) else json.dumps(item)}")
    return sorted(found)


def row_digests(frame: pl.DataFrame, columns: list[str]) -> pl.Series:
    """The SHA-256 of some columns of every row, in a form that is the same on every machine."""

    def text_of(name: str) -> pl.Expr:
        kind = frame.schema[name]
        column = pl.col(name)
        if isinstance(kind, pl.List):
            column = column.cast(pl.List(pl.String)).list.join(RECORD_SEPARATOR)
        elif isinstance(kind, pl.Datetime):
            column = column.dt.epoch("us").cast(pl.String)
        return column.cast(pl.String).fill_null(NOTHING)

    joined = frame.select(
        pl.concat_str([text_of(name) for name in columns], separator=UNIT_SEPARATOR)
    )
    digests = [hashlib.sha256(text.encode()).hexdigest() for text in joined.to_series()]
    return pl.Series("row_sha256", digests, dtype=pl.String)


def portable_digests(rows: pl.DataFrame) -> pl.Series:
    """Per row, the hash of what does not depend on the machine; see ``PORTABLE_COLUMNS``."""
    return row_digests(rows, list(PORTABLE_COLUMNS))


def difference(wanted: pl.DataFrame, stored: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """What has to change in the index.

    Args:
        wanted: INDEX_ROWS that the shard must have.
        stored: columns chunk_id and row_sha256 of the rows the index has for the shard.

    Returns:
        The rows to write (new or different), and the chunk_ids to remove, sorted.
    """
    write = wanted.join(stored, on=["chunk_id", "row_sha256"], how="anti")
    remove = stored.join(wanted, on="chunk_id", how="anti")["chunk_id"].sort().to_list()
    return write, remove
