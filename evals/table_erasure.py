"""Erasing a document from the Parquet tables of evaluations, one table for each evaluation."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import polars as pl

from rag_assets.erasure.redaction import FORGOTTEN, Redaction
from rag_assets.platform.platform import Platform

NOTE = "evidence_note"
# a table of an evaluation → the same without a document
Clean = Callable[[str, pl.DataFrame], pl.DataFrame]


def read_tables(
    platform: Platform, asset: str, schema: pl.Schema
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Every stored table of an asset with the id of its evaluation."""
    for partition in sorted(platform.tables.partitions(asset)):
        yield partition, platform.tables.read(asset, partition, schema)


def clean_tables(
    platform: Platform, asset: str, schema: pl.Schema, clean: Clean, *, write: bool
) -> tuple[int, int, int]:
    """Clean every stored table of an asset.

    Args:
        platform: its tables.
        asset: whose tables.
        schema: of the tables.
        clean: what is to be left of one; it keeps the order of the rows.
        write: whether to replace tables that change; their stamps stay but for the number of rows.

    Returns:
        tables, rows, and rows that go or change.
    """
    tables = rows = changed = 0
    for partition, frame in read_tables(platform, asset, schema):
        stamp = platform.tables.stamp(asset, partition)
        tables, rows = tables + 1, rows + frame.height
        if frame.is_empty() and (stamp is None or stamp.facts.get("rows", 1)):
            # another version wrote it: nothing reads it, and nobody knows what it says
            changed += 1
            if write:
                platform.tables.drop(asset, partition)
            continue
        left = clean(partition, frame)
        traces = frame.height - _same(frame, left)
        changed += traces
        if write and traces and stamp is not None:
            facts = {**stamp.facts, "rows": left.height}
            platform.tables.write(asset, partition, left, replace(stamp, facts=facts))
    return tables, rows, changed


def _same(frame: pl.DataFrame, left: pl.DataFrame) -> int:
    """How many rows are left as they were."""
    before: dict[str, int] = {}
    for row in frame.iter_rows():
        before[repr(row)] = before.get(repr(row), 0) + 1
    same = 0
    for row in left.iter_rows():
        name = repr(row)
        if before.get(name, 0):
            before[name] -= 1
            same += 1
    return same


def redacted(frame: pl.DataFrame, document_id: str, redaction: Redaction) -> pl.DataFrame:
    """A table without phrases in its texts and without a document's id in its lists.

    Ranks stay what they were: in the place of the id stands that something was forgotten.
    """
    columns = {}
    for name, kind in frame.schema.items():
        if kind == pl.String:
            columns[name] = _texts(frame[name], redaction)
            if name == NOTE:
                columns[name] = _notes(columns[name], document_id)
        elif kind == pl.List(pl.String):
            columns[name] = _lists(frame[name], document_id)
    return frame.with_columns(**columns)


def _texts(values: pl.Series, redaction: Redaction) -> pl.Series:
    return pl.Series(values.name, redaction.values(values.to_list()), pl.String)


def _notes(values: pl.Series, document_id: str) -> pl.Series:
    """Notes on evidence without those that name the document."""
    found = ["" if note and document_id in note else note for note in values.to_list()]
    return pl.Series(values.name, found, pl.String)


def _lists(values: pl.Series, document_id: str) -> pl.Series:
    found: list[Any] = [
        items and [FORGOTTEN if item == document_id else item for item in items]
        for items in values.to_list()
    ]
    return pl.Series(values.name, found, pl.List(pl.String))
