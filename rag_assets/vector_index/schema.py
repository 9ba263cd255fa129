"""Columns of an index row: the chunk, its vector, and what a reader or a filter needs."""

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    import pyarrow as pa

# stands for "there is no ACL"; no caller can be in a group without a name
NO_ACL = ""

INDEX_ROWS = pl.Schema(
    {
        "chunk_id": pl.String(),
        "document_id": pl.String(),
        "source": pl.String(),
        "partition": pl.String(),
        "ordinal": pl.Int64(),
        "title": pl.String(),
        "text": pl.String(),
        "heading_path": pl.List(pl.String()),
        "char_start": pl.Int64(),
        "char_end": pl.Int64(),
        "page_first": pl.Int64(),
        "page_last": pl.Int64(),
        "page_breaks": pl.List(pl.Int64()),  # offsets in the document at which a page begins inside
        "token_count": pl.Int64(),
        "embed_text": pl.String(),
        "embed_sha256": pl.String(),
        "uri": pl.String(),
        "media_type": pl.String(),
        "acl": pl.List(pl.String()),
        "readers": pl.List(pl.String()),  # the acl as searches compare it; see ``rows.readers``
        "attributes": pl.String(),
        "attribute_values": pl.List(pl.String()),  # "name=value", what a filter compares with
        "modified_at": pl.Datetime("us", "UTC"),
        "content_sha256": pl.String(),  # of the version that is served
        "stale": pl.Boolean(),  # a newer version is in quarantine
        "row_sha256": pl.String(),  # of what the row says: equal means nothing to write
        "run_id": pl.String(),  # the run that wrote the row
        # the runs that made what the row says, as they stood when it was written
        "raw_run_id": pl.String(),
        "parse_run_id": pl.String(),
        "chunk_run_id": pl.String(),
        "embed_run_id": pl.String(),
        "parser": pl.String(),  # name and version
    }
)

# who made a row, and columns that follow from others: not part of what it says
PROVENANCE = ("run_id", "raw_run_id", "parse_run_id", "chunk_run_id", "embed_run_id", "parser")

# What a row says, apart from where and when: equal on every machine that holds the same documents.
PORTABLE_COLUMNS = (
    "chunk_id",
    "document_id",
    "source",
    "ordinal",
    "title",
    "char_start",
    "char_end",
    "page_first",
    "page_last",
    "embed_sha256",
    "acl",
    "attributes",
    "content_sha256",
    "stale",
)


def index_schema(dimensions: int) -> "pa.Schema":
    """The Arrow schema of the LanceDB table for vectors of ``dimensions`` numbers."""
    import pyarrow as pa

    rows = INDEX_ROWS.to_frame().to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    fields = [pa.field(field.name, _plain(field.type)) for field in rows]
    return pa.schema([*fields, pa.field("vector", pa.list_(pa.float32(), dimensions))])


def _plain(kind: "pa.DataType") -> "pa.DataType":
    """Lance indexes plain strings and lists; Polars hands over the large kinds."""
    import pyarrow as pa

    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_large_list(kind):
        return pa.list_(_plain(kind.value_type))
    return kind
