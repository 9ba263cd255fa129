"""The search indices of a version: their files are there, they cover the rows and tell the truth."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from rag_assets.platform.errors import IndexUnavailable
from rag_assets.platform.platform import Platform
from rag_assets.platform.wording import counted
from rag_assets.vector_index.sql import quoted

from .base import Findings
from .scan import SearchIndex, VersionScan

FULL_TEXT = "embed_text"
COUNTED = ("partition", "source", "document_id", "readers")
LISTS = ("readers",)
# values of a column that are counted by its index, rows whose own words are searched for
VALUES = 48
ROWS = 24
WORDS_TRIED = 3
HITS = 1000
# short words are likely stop words; the index drops very long ones
WORD = re.compile(r"[^\W_]{4,30}")


@dataclass
class Truth:
    """What a scan without any index says, to compare answers of the indices with.

    Attributes:
        counts: column → value → rows.
        samples: chunk_id, embed_text and vector of some rows.
        words: word → texts that have it, of the words of the samples.
    """

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    samples: list[tuple[str, str, Any]] = field(default_factory=list)
    words: Counter[str] = field(default_factory=Counter)
    _wanted: frozenset[str] = frozenset()

    def feed(self, rows: pl.DataFrame) -> None:
        """Count some rows (``COUNTED``, chunk_id, embed_text, vector)."""
        for column in COUNTED:
            values = rows[column].explode() if column in LISTS else rows[column]
            found = values.drop_nulls().value_counts()
            self.counts[column].update(dict(found.iter_rows()))
        if len(self.samples) < ROWS:
            self._sample(rows)
        for text in rows[FULL_TEXT]:
            self.words.update(self._wanted & words_of(text))

    def _sample(self, rows: pl.DataFrame) -> None:
        """Take a few rows of this frame, so that the samples come from several frames."""
        taken = rows.gather_every(max(1, rows.height // (ROWS // 3)))
        chosen = taken.select("chunk_id", FULL_TEXT, "vector").head(ROWS - len(self.samples))
        vectors = chosen["vector"].to_numpy().copy()
        texts = chosen.select("chunk_id", FULL_TEXT).iter_rows()
        for (chunk, text), vector in zip(texts, vectors, strict=True):
            self.samples.append((chunk, text, vector))
            self._wanted |= words_of(text)


def words_of(text: str) -> frozenset[str]:
    """The words of a text, in lower case."""
    return frozenset(WORD.findall(text.lower()))


def check_indices(
    platform: Platform, reader: VersionScan, table: str, truth: Truth, rows: int
) -> dict[str, str]:
    """What is wrong with the search indices of a version: index → what.

    Args:
        platform: the deployment.
        reader: of the version.
        table: its table's name.
        truth: of a scan of all rows.
        rows: how many there are.
    """
    wrong: dict[str, str] = {}
    present = {index.column: index for index in reader.search_indices()}
    if rows and FULL_TEXT not in present:
        wrong["embed_text_idx"] = "there is no full-text index: words find nothing"
    for column, index in present.items():
        lost = _lost_files(platform, table, index)
        if lost:
            wrong[index.name] = lost
            continue
        try:
            problem = _answers(reader, column, index, truth, rows)
        except IndexUnavailable as error:
            problem = error.message
        if problem:
            wrong[index.name] = problem
    return wrong


def report_indices(wrong: dict[str, str], place: str, release: int | None, out: Findings) -> None:
    """Name the search indices that are wrong."""
    for name, what in wrong.items():
        out.add("search_index", place, f"{name}: {what}", release_id=release, ids=(name,))


def _lost_files(platform: Platform, table: str, index: SearchIndex) -> str:
    """Whether the files of an index have another size together than when they were written."""
    for folder, size in index.segments.items():
        prefix = f"lancedb/{table}.lance/_indices/{folder}/"
        sizes = [platform.storage.size(key) or 0 for key in platform.storage.list(prefix)]
        if size is not None and sum(sizes) != size:
            return f"its files in _indices/{folder} have {counted(sum(sizes), 'byte')} instead of {size}"
    return ""


def _answers(reader: VersionScan, column: str, index: SearchIndex, truth: Truth, rows: int) -> str:
    covered = reader.covered(index.name)
    if covered < rows:
        return f"it knows {covered} of {counted(rows, 'row')}"
    if column in truth.counts:
        return _counts(reader, column, truth.counts[column])
    for chunk, text, vector in truth.samples:
        if column == "vector" and chunk not in reader.dense(vector, 10, None).chunk_id:
            return f"the vector of chunk {chunk} does not find it"
        if column == "chunk_id" and not reader.rows_where(f"chunk_id = {quoted(chunk)}"):
            return f"chunk {chunk} is not found by its id"
        if column == FULL_TEXT:
            words = sorted(words_of(text), key=lambda word: (truth.words[word], word))
            if words and not _finds(reader, words[:WORDS_TRIED], chunk):
                return f"chunk {chunk} is not found by its own word '{words[0]}'"
    return ""


def _counts(reader: VersionScan, column: str, counts: Counter[str]) -> str:
    common = [value for value, _ in counts.most_common(VALUES // 2)]
    every = max(1, len(counts) // (VALUES // 2))
    for value in dict.fromkeys([*common, *sorted(counts)[::every]]):
        condition = f"{column} = {quoted(value)}"
        if column in LISTS:
            condition = f"array_has_any({column}, [{quoted(value)}])"
        found = reader.rows_where(condition)
        if found != counts[value]:
            return f"it finds {counted(found, 'row')} of {column} '{value}', a scan {counts[value]}"
    return ""


def _finds(reader: VersionScan, words: list[str], chunk: str) -> bool:
    """Whether one of some words finds a chunk; the index may leave a word out, but not all."""
    return any(chunk in reader.full_text(word, HITS, None).chunk_id for word in words)
