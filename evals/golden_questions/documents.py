"""The documents as they are now, partition by partition, and those that readers have."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from rag_assets.parsed_documents.schema import PARSED_DOCUMENTS
from rag_assets.platform.errors import IndexUnavailable
from rag_assets.platform.platform import Platform
from rag_assets.raw_documents.schema import RAW_DOCUMENTS
from rag_assets.releases.opening import open_release
from rag_assets.releases.registry import Release

from .resolve import SearchableText


class CurrentDocuments:
    """The listed documents with what is read of them; one partition is in memory at a time.

    Iterating gives a frame for every partition: document_id, status, title, text (null where there is
    none), acl, content_sha256. It can be iterated again.

    Args:
        platform: the deployment.
    """

    def __init__(self, platform: Platform) -> None:
        self._tables = platform.tables

    def __iter__(self) -> Iterator[pl.DataFrame]:
        for partition in self._tables.partitions("raw_documents"):
            listed = self._tables.read("raw_documents", partition, RAW_DOCUMENTS)
            parsed = self._tables.read("parsed_documents", partition, PARSED_DOCUMENTS)
            yield listed.select("document_id", "acl").join(
                parsed.select("document_id", "status", "title", "text", "content_sha256"),
                on="document_id",
                how="left",
            )


@dataclass(frozen=True)
class KnownDocuments:
    """What a question's evidence is looked for in.

    Attributes:
        present: document → its status (``parsed``, ``empty``, ``quarantined``), "" before parsing.
        texts: of the documents that are quoted, those that have one.
        once: documents that were known at some time, by the live release or the table before.
    """

    present: dict[str, str]
    texts: dict[str, str]
    once: frozenset[str] = frozenset()
    _searchable: dict[str, SearchableText] = field(default_factory=dict, repr=False)

    def says(self, document_id: str, quote: str) -> bool:
        """Whether a document holds a quote, white space and Markdown markers aside."""
        text = self.texts.get(document_id, "")
        if quote.strip() and quote in text:
            return True
        if document_id not in self._searchable:
            self._searchable[document_id] = SearchableText([(0, text)])
        return self._searchable[document_id].find(quote) is not None


def known_documents(
    documents: CurrentDocuments, quoted: set[str], once: frozenset[str]
) -> KnownDocuments:
    """Read the state of every document, and the texts of those that are quoted."""
    present: dict[str, str] = {}
    texts: dict[str, str] = {}
    for frame in documents:
        present.update(frame.select("document_id", pl.col("status").fill_null("")).rows())
        wanted = frame.filter(
            pl.col("document_id").is_in(sorted(quoted)) & pl.col("text").is_not_null()
        )
        texts.update(wanted.select("document_id", "text").rows())
    return KnownDocuments(present, texts, once)


def live_documents(platform: Platform, live: Release | None) -> frozenset[str]:
    """The documents that the live release serves; none where nothing is live, or can be read."""
    if live is None:
        return frozenset()
    try:
        return frozenset(open_release(platform, live).documents()["document_id"])
    except IndexUnavailable:
        # the next release must not depend on what is left of this one
        return frozenset()
