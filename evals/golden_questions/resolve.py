"""Finding a question set's evidence in a release: documents by id, quotes by their text.

A quote is matched without regard to white space and Markdown markers, so that a golden set survives
another parser or splitter. Evidence that is not there any more is named, never silently a miss.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from evals.spans import Span, intersections, union_length
from rag_assets.vector_index.reader import IndexReader

MARKERS = frozenset("*_|#>\\`")

# spans of several documents, by document
Spans = dict[str, list[Span]]


@dataclass(frozen=True)
class Resolution:
    """Where the evidence of a question set is.

    Attributes:
        unresolved: question → what was not found, in words for people.
        evidence: question → spans of its quotes; only questions all of whose quotes were found.
        chunks: chunk → its document and span; every chunk of the documents that are quoted.
    """

    unresolved: dict[str, list[str]] = field(default_factory=dict)
    evidence: dict[str, Spans] = field(default_factory=dict)
    chunks: dict[str, tuple[str, Span]] = field(default_factory=dict)

    def evidence_recall(self, question_id: str, chunk_ids: Iterable[str]) -> float:
        """The share of a question's quoted characters that lie in some chunks."""
        passages: Spans = {}
        for chunk in chunk_ids:
            if chunk in self.chunks:
                document, span = self.chunks[chunk]
                passages.setdefault(document, []).append(span)
        found, total = 0, 0
        for document, spans in self.evidence[question_id].items():
            total += union_length(spans)
            found += union_length(intersections(spans, passages.get(document, [])))
        return found / total


def read_quoted_chunks(questions: pl.DataFrame, reader: IndexReader) -> pl.DataFrame:
    """The chunks of every document that a question quotes: document_id, chunk_id, char_start, text."""
    relevant = questions.select(pl.col("relevant").explode()).unnest("relevant")
    quoted = set(relevant.filter(pl.col("quote").is_not_null())["document_id"])
    counts = reader.documents().filter(pl.col("document_id").is_in(sorted(quoted)))
    ordinals = {
        document: range(chunks)
        for document, chunks in counts.select("document_id", "chunks").rows()
    }
    return reader.neighbours(ordinals, None).select("document_id", "chunk_id", "char_start", "text")


def resolve(questions: pl.DataFrame, documents: set[str], chunks: pl.DataFrame) -> Resolution:
    """Find the evidence of every question.

    Args:
        questions: ``GOLDEN_QUESTIONS``.
        documents: the document_ids of the release.
        chunks: of the quoted documents; columns as of ``read_quoted_chunks``.
    """
    texts = {
        str(key[0]): SearchableText(frame.select("char_start", "text").rows())
        for key, frame in chunks.group_by("document_id")
    }
    places = {
        chunk: (document, (start, start + len(text)))
        for document, chunk, start, text in chunks.select(
            "document_id", "chunk_id", "char_start", "text"
        ).rows()
    }
    resolution = Resolution(chunks=places)
    for question_id, relevant in questions.select("question_id", "relevant").rows():
        missing, spans = _find(relevant, documents, texts)
        if missing:
            resolution.unresolved[question_id] = missing
        elif spans:
            resolution.evidence[question_id] = spans
    return resolution


def _find(
    relevant: Sequence[Mapping[str, str | None]],
    documents: set[str],
    texts: "Mapping[str, SearchableText]",
) -> tuple[list[str], Spans]:
    missing: list[str] = []
    spans: Spans = {}
    for item in relevant:
        document, quote = str(item["document_id"]), item["quote"]
        if document not in documents:
            missing.append(f"the document {document} is not in the release")
        elif quote is not None:
            span = texts[document].find(quote)
            if span is None:
                # records outlive documents: they never repeat what a document said
                missing.append(f"{document} does not say what is quoted from it")
            else:
                spans.setdefault(document, []).append(span)
    return missing, spans


class SearchableText:
    """A document's text, put together from its chunks, in which quotes are found.

    Args:
        pieces: start in the document and text of every chunk; they may overlap and leave gaps.
    """

    def __init__(self, pieces: Iterable[tuple[int, str]]) -> None:
        letters: list[str] = []
        self._offsets: list[int] = []
        reached = 0
        for start, text in sorted(pieces):
            for offset, letter in enumerate(text, start):
                if offset >= reached and _counts(letter):
                    letters.append(letter)
                    self._offsets.append(offset)
            reached = max(reached, start + len(text))
        self._text = "".join(letters)

    def find(self, quote: str) -> Span | None:
        """The span of the first occurrence of a quote in the document, if there is one."""
        wanted = "".join(letter for letter in quote if _counts(letter))
        start = self._text.find(wanted) if wanted else -1
        if start < 0:
            return None
        return self._offsets[start], self._offsets[start + len(wanted) - 1] + 1


def _counts(letter: str) -> bool:
    return not letter.isspace() and letter not in MARKERS
