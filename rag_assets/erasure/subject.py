"""The subject of an erasure, put together from the rows that name the document. Pure functions."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import polars as pl

from .base import Subject
from .phrases import own_phrases, phrases_of, spread


@dataclass
class Rows:
    """What tables and index versions hold of a document, as distinct values.

    Attributes:
        texts: parsed texts and passages, as they were embedded too.
        places: where it was found, in words.
    """

    content_sha256: set[str] = field(default_factory=set)
    texts: dict[str, None] = field(default_factory=dict)
    titles: set[str] = field(default_factory=set)
    chunk_ids: set[str] = field(default_factory=set)
    embed_sha256: set[str] = field(default_factory=set)
    places: list[str] = field(default_factory=list)

    def add(self, rows: pl.DataFrame, place: str) -> None:
        """Take over what some rows of the document say; unknown columns are passed over."""
        if rows.is_empty():
            return
        self.places.append(place)
        for name in ("content_sha256", "served_sha256"):
            self.content_sha256.update(_values(rows, name))
        for name in ("title", "parser_title"):
            self.titles.update(_values(rows, name))
        for name in ("text", "embed_text"):
            self.texts.update(dict.fromkeys(_values(rows, name)))
        self.chunk_ids.update(_values(rows, "chunk_id"))
        self.embed_sha256.update(_values(rows, "embed_sha256"))


def subject_of(
    document_id: str, rows: Rows, *, shared_content: Iterable[str], others: Iterable[pl.Series]
) -> Subject:
    """The subject: what is known of a document, and the phrases that it alone has.

    Args:
        document_id: of the document.
        rows: what was found of it.
        shared_content: content hashes of other documents.
        others: texts and titles of all other documents, in batches.
    """
    texts = tuple(rows.texts)
    phrases = own_phrases(phrases_of([*texts, *sorted(rows.titles)]), others)
    return Subject(
        document_id=document_id,
        content_sha256=frozenset(rows.content_sha256),
        texts=texts,
        titles=tuple(sorted(rows.titles)),
        chunk_ids=frozenset(rows.chunk_ids),
        embed_sha256=frozenset(rows.embed_sha256),
        shared_content=frozenset(rows.content_sha256 & set(shared_content)),
        phrases=spread(phrases),
    )


def _values(rows: pl.DataFrame, column: str) -> list[str]:
    if column not in rows.columns:
        return []
    return [str(value) for value in rows[column].drop_nulls().unique(maintain_order=True)]
