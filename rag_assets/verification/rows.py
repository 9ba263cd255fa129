"""The rows of a version against their own hashes: every column follows from others, or is hashed."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from rag_assets.chunks.transform import CHUNK_ID_DIGITS
from rag_assets.platform.fingerprint import fingerprint, sha256_text
from rag_assets.platform.wording import counted
from rag_assets.vector_index.rows import (
    HASHED_COLUMNS,
    attribute_values,
    portable_digests,
    readers,
    row_digests,
)

KEYS = ("chunk_id", "document_id", "partition", "row_sha256")
LIST_SEPARATOR = "\x1e"

# one problem names a row; of several the first of these
REASONS = {
    "row": "row_sha256 is not the hash of the row",
    "text": "the text is not the one that chunk_id was made from",
    "embed_text": "embed_sha256 is not the hash of embed_text",
    "readers": "readers do not follow from acl",
    "attribute_values": "attribute_values do not follow from attributes",
    "manifest": "the row is not the one that the shard's index manifest lists",
}


@dataclass
class RowAudit:
    """Reads rows frame by frame and keeps what does not fit, and the keys of all.

    Attributes:
        keys: frames of ``KEYS`` and portable_sha256.
        problems: chunk_id → names of ``REASONS``.
    """

    keys: list[pl.DataFrame] = field(default_factory=list)
    problems: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _repeated: list[tuple[str, str, str, int]] = field(default_factory=list)

    def feed(self, rows: pl.DataFrame) -> None:
        """Look at some rows (all columns of INDEX_ROWS)."""
        self.keys.append(rows.select(KEYS).with_columns(portable_sha256=portable_digests(rows)))
        self._note("row", rows, row_digests(rows, HASHED_COLUMNS) == rows["row_sha256"])
        embedded = [sha256_text(text or "") for text in rows["embed_text"]]
        self._note("embed_text", rows, pl.Series(embedded) == rows["embed_sha256"])
        same = joined("readers") == joined(readers())
        self._note("readers", rows, rows.select(same.alias("same"))["same"])
        self._note("attribute_values", rows, _follows(rows))
        # the first passage of its kind in a document is by far the most common
        for row in rows.select("document_id", "text", "chunk_id", "ordinal").iter_rows():
            document, text, chunk, _ = row
            if _chunk_id(document, text, 0) != chunk:
                self._repeated.append(row)

    def merge(self, other: "RowAudit") -> None:
        """Take over what another audit has found in other rows."""
        self.keys += other.keys
        self._repeated += other._repeated
        for chunk, names in other.problems.items():
            self.problems[chunk] |= names

    def close(self) -> pl.DataFrame:
        """All keys (``KEYS`` and portable_sha256), after the last row."""
        for chunk in _strangers(self._repeated):
            self.problems[chunk].add("text")
        self._repeated = []
        empty = dict.fromkeys((*KEYS, "portable_sha256"), pl.String)
        return pl.concat([pl.DataFrame(schema=empty), *self.keys])

    def _note(self, name: str, rows: pl.DataFrame, fits: pl.Series) -> None:
        for chunk in rows["chunk_id"].filter(~fits.fill_null(False)):
            self.problems[chunk].add(name)


def reasons(problems: dict[str, set[str]]) -> str:
    """Why rows are named, in a sentence with counts."""
    counts = Counter(first_reason(names) for names in problems.values())
    return "; ".join(
        f"{REASONS[name]} ({counted(count, 'row')})" for name, count in counts.most_common()
    )


def first_reason(names: set[str]) -> str:
    """The name of the reason that is shown of several: ``REASONS`` has them in order."""
    return next(name for name in REASONS if name in names)


def joined(column: str | pl.Expr) -> pl.Expr:
    """A list column as text, so that lists compare."""
    expression = pl.col(column) if isinstance(column, str) else column
    return expression.list.join(LIST_SEPARATOR).fill_null("")


def _follows(rows: pl.DataFrame) -> pl.Series:
    known = {text: _values(text) for text in rows["attributes"].unique()}
    stored = rows["attribute_values"].to_list()
    follows = [
        values is not None and list(values) == known[text]
        for values, text in zip(stored, rows["attributes"], strict=True)
    ]
    return pl.Series(follows, dtype=pl.Boolean)


def _values(text: str | None) -> list[str] | None:
    try:
        return attribute_values(text or "")
    except (ValueError, AttributeError):
        return None


def _chunk_id(document: str, text: str, occurrence: int) -> str:
    return fingerprint([document, text, occurrence])[:CHUNK_ID_DIGITS]


def _strangers(rows: list[tuple[str, str, str, int]]) -> Iterator[str]:
    """Chunk ids that no occurrence of their text explains.

    A passage occurs at most as often before a chunk as the document has chunks before it.
    """
    groups: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    for document, text, chunk, ordinal in rows:
        groups[(document, text)].append((chunk, ordinal))
    for (document, text), members in groups.items():
        missing = {chunk for chunk, _ in members}
        for occurrence in range(1, max(ordinal for _, ordinal in members) + 1):
            if not missing:
                break
            missing.discard(_chunk_id(document, text, occurrence))
        yield from sorted(missing)
