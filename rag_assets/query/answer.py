"""The shapes of what moves through the engine and leaves it: hits, passages, citations, answers."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Hit:
    """One chunk of the released index.

    Attributes:
        ordinal: position in its document, from 0.
        char_start, char_end: span in the parsed document; ``text`` is what stands there.
        page_first, page_last: pages of the span, from 1; None where the format has no pages.
        attributes: of the document.
        score: fused (or of the reranker, where one is on), best first within one result list.
        dense_score: cosine similarity, or None where only the full text matched.
        full_text_score: BM25, or None.
        rerank_score: of the reranker, or None.
        page_breaks: offsets in the document, inside the span, at which a page begins.
    """

    chunk_id: str
    document_id: str
    source: str
    ordinal: int
    title: str
    text: str
    heading_path: list[str]
    uri: str
    char_start: int
    char_end: int
    page_first: int | None
    page_last: int | None
    token_count: int
    modified_at: datetime | None
    content_sha256: str
    attributes: dict[str, Any]
    stale: bool
    score: float
    dense_score: float | None = None
    full_text_score: float | None = None
    rerank_score: float | None = None
    page_breaks: list[int] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        values = asdict(self)
        values["modified_at"] = self.modified_at.isoformat() if self.modified_at else None
        return values


@dataclass(frozen=True)
class Passage:
    """What an answerer reads under one number: a hit, perhaps with its neighbours.

    Attributes:
        number: what a marker ``[n]`` in an answer points to, from 1.
        hit: the chunk that was found.
        parts: chunks of one document in reading order, ``hit`` among them; their texts may overlap.
        copies: document_ids of (near-)duplicates that the caller may read and that were left out.
        tokens: of ``text``, by the answerer's own count or a safe estimate.
    """

    number: int
    hit: Hit
    parts: tuple[Hit, ...]
    copies: tuple[str, ...] = ()
    tokens: int = 0

    @property
    def text(self) -> str:
        """The parts' texts in reading order, overlaps once, gaps as a blank line."""
        pieces: list[str] = []
        end: int | None = None
        for part in self.parts:
            if end is not None and part.char_start < end:
                pieces.append(part.text[end - part.char_start :])
            else:
                pieces.append(part.text if end is None else f"\n\n{part.text}")
            end = max(end or 0, part.char_end)
        return "".join(pieces)


@dataclass(frozen=True)
class Quote:
    """A verbatim span that supports what stands before a marker.

    Attributes:
        marker: e.g. ``"1"`` for ``[1]`` in the answer's text.
        hit: the chunk the span lies in.
        start, end: offsets in ``hit.text``; the span in the document begins at
            ``hit.char_start + start``.
        score: support, from 0 to 1.
    """

    marker: str
    hit: Hit
    start: int
    end: int
    score: float

    @property
    def text(self) -> str:
        """The quoted text."""
        return self.hit.text[self.start : self.end]


@dataclass(frozen=True)
class Token:
    """A piece of the answer's text."""

    text: str


@dataclass(frozen=True)
class Draft:
    """The whole answer before its citations are checked.

    Attributes:
        quotes: spans the answerer quotes itself; None: the engine is to find them.
        prompt_tokens, completion_tokens: as the server counted them; 0 without an LLM.
        model: the model that answered; empty without an LLM.
        finish_reason: ``stop``, or ``length`` when the text was cut at the token limit.
        weak_evidence: the answerer itself doubts that the passages answer.
    """

    text: str
    quotes: tuple[Quote, ...] | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    model: str = ""
    finish_reason: str = "stop"
    weak_evidence: bool = False


@dataclass(frozen=True)
class Citation:
    """What a marker in an answer points to: ``quote`` is the document's text at the span.

    Attributes:
        page: on which the quote begins; None where the format has no pages.
        pages: of the whole passage that is cited.
        copies: other documents with the same passage that the caller may read.
    """

    marker: str
    document_id: str
    chunk_id: str
    title: str
    uri: str
    quote: str
    char_start: int
    char_end: int
    page: int | None
    score: float
    heading_path: list[str] = field(default_factory=list)
    content_sha256: str = ""
    copies: list[str] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class SentenceSupport:
    """How well one sentence of an answer is supported by what it cites: ``score`` from 0 to 1."""

    sentence: str
    markers: list[str]
    score: float


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer and what they cost; zero where no LLM was used."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0


@dataclass(frozen=True)
class Answer:
    """An answer with its evidence; ``to_dict`` is the wire form.

    Attributes:
        abstained: the evidence did not support an answer; ``closest`` has what came nearest.
        support: per sentence of the answer.
        confidence: calibrated probability that the documents answer the question, or None where
            nothing was learned for this release.
        weak_evidence: there is an answer, and it may not be one: ``confidence`` is below what the
            release answers from (``query.abstain`` is off), or no quoted sentence is a likely answer.
            Never together with ``abstained``.
        answerer: who wrote it, e.g. ``extractive`` or ``llm:<model>``.
        degraded: what was left out or replaced because something failed, e.g. ``llm_unavailable``.
    """

    answer_id: str
    answer: str
    abstained: bool
    citations: list[Citation]
    release: dict[str, Any]
    usage: Usage = Usage()
    timings_ms: dict[str, float] = field(default_factory=dict)
    degraded: list[str] = field(default_factory=list)
    support: list[SentenceSupport] = field(default_factory=list)
    closest: list[Citation] = field(default_factory=list)
    confidence: float | None = None
    answerer: str = "extractive"
    weak_evidence: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return asdict(self)
