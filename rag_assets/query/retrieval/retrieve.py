"""From a question to ranked hits: expansion, both legs, fusion, reranking; each may fail alone."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from rag_assets.encoders import Encoder
from rag_assets.platform.errors import IndexUnavailable, InvalidQuestion, RaglineError
from rag_assets.platform.settings import QuerySettings
from rag_assets.platform.telemetry import step
from rag_assets.query.access import Caller, acl_condition
from rag_assets.query.answer import Hit
from rag_assets.query.degradation import Degradations
from rag_assets.query.filters import Filter, combine, parse_filter
from rag_assets.query.parameters import QueryParameters
from rag_assets.query.rerankers.base import Reranker
from rag_assets.query.rerankers.blend import blend

from .candidates import Candidates
from .search import Found, Query, search
from .snapshot import Snapshot, Snapshots

logger = logging.getLogger(__name__)

# forms of the question besides the question itself: (texts for full text and vectors, passages
# for vectors only)
Expansion = tuple[list[str], list[str]]
# gives the vectors of some texts by an encoder, as ``Encoder.encode`` does
Encode = Callable[[Encoder, Sequence[str]], np.ndarray]
ENCODED_AT_ONCE = 64
# searches that run at the same time in one process wait for each other beyond this many
SEARCH_THREADS = 16


@dataclass(frozen=True)
class Retrieval:
    """What a question found.

    Attributes:
        question: as it was searched, surrounding white space removed.
        vector: float32, shape (dimensions,): the encoded question.
        found: candidates of both legs with their fused scores.
        hits: the best chunks, best first, reranked where a reranker is on.
        condition: the SQL prefilter the search ran with.
        parameters: fusion, weight and reranker that were used.
        degraded: what was left out because it failed.
        timings_ms: encode, legs, fusion, rows, rerank, retrieve (all together).
    """

    question: str
    vector: np.ndarray
    found: Found
    hits: list[Hit]
    condition: str | None
    parameters: QueryParameters
    degraded: list[str] = field(default_factory=list)
    timings_ms: dict[str, float] = field(default_factory=dict)

    @property
    def candidates(self) -> Candidates:
        """Both legs, side by side."""
        return self.found.candidates

    @property
    def snapshot(self) -> Snapshot:
        """The release that was searched."""
        return self.found.snapshot


@dataclass(frozen=True)
class _Encoded:
    """Texts, and their vectors by an encoder, which mean nothing in a release of another one."""

    encoder: Encoder
    texts: list[str]
    vectors: np.ndarray


class Retriever:
    """Searches the released index.

    Args:
        snapshots: which release answers, and the encoder of its chunks, which encodes questions too.
        settings: depth, fusion, reranker.
        make_reranker: gives a reranker by its name and the release's encoder.
        expand: other forms of a question, or None where the question is searched as it is.
        degradations: counts what failed.

    Attributes:
        remember: encodes instead of the encoder itself, where vectors of questions are kept.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        settings: QuerySettings,
        make_reranker: Callable[[str, Encoder], Reranker],
        expand: Callable[[str], Expansion] | None,
        degradations: Degradations,
    ) -> None:
        self._snapshots = snapshots
        self._settings = settings
        self._make_reranker = make_reranker
        self._expand = expand
        self._degradations = degradations
        self._executor = ThreadPoolExecutor(SEARCH_THREADS, thread_name_prefix="search")
        self.remember: Encode | None = None

    def retrieve(self, question: str, caller: Caller, limit: int, *, filter: str = "") -> Retrieval:
        """Search for one question; see ``QueryEngine.retrieve``."""
        question, parsed = self._checked(question), parse_filter(filter) if filter else None
        started = time.perf_counter()
        degraded: list[str] = []
        with step("retrieve", {"gen_ai.operation.name": "retrieval"}) as told:
            expansion = self._expanded(question, degraded)
            retrieval = self._reading(
                partial(self._search, question, expansion, caller, limit, parsed)
            )
            retrieval.degraded[:0] = degraded
            told.set(
                {
                    "ragline.release_id": retrieval.snapshot.release.id,
                    "ragline.hits": len(retrieval.hits),
                    "ragline.candidates": len(retrieval.candidates.document_id),
                    "ragline.degraded": ",".join(retrieval.degraded),
                }
            )
        retrieval.timings_ms["retrieve"] = _milliseconds(started)
        return retrieval

    def retrieve_many(
        self, questions: Sequence[str], caller: Caller, limit: int, *, filter: str = ""
    ) -> Iterator[Retrieval]:
        """Search for many questions, encoded in batches and not expanded; in their order.

        A batch has one release, as long as that can be read.
        """
        parsed = parse_filter(filter) if filter else None
        clean = [self._checked(question) for question in questions]
        for start in range(0, len(clean), ENCODED_AT_ONCE):
            batch = clean[start : start + ENCODED_AT_ONCE]
            snapshot = self._snapshots.current()
            vectors = snapshot.encoder.encode(batch)
            for question, vector in zip(batch, vectors, strict=True):
                encoded = _Encoded(snapshot.encoder, [question], vector[None, :])
                yield self._reading(
                    partial(self._search_encoded, encoded, caller, limit, parsed), snapshot
                )

    def _checked(self, question: str) -> str:
        # lone surrogates and NUL come from broken clients; no library below takes them
        clean = question.encode("utf-8", "replace").decode().replace("\x00", " ").strip()
        if not clean:
            raise InvalidQuestion("The question is empty.", "Ask something.")
        most = self._settings.max_question_chars
        if len(clean) > most:
            raise InvalidQuestion(
                f"The question has {len(clean)} characters; at most {most} are allowed.",
                "Shorten it, or raise query.max_question_chars.",
            )
        return clean

    def _expanded(self, question: str, degraded: list[str]) -> Expansion:
        if self._expand is None:
            return [], []
        try:
            with step("expand question"):
                return self._expand(question)
        except RaglineError as error:
            logger.warning("The question was searched as it is: %s", error)
            degraded.append(self._degradations.add("expansion_failed"))
            return [], []

    def _reading(
        self, read: Callable[[Snapshot], Retrieval], snapshot: Snapshot | None = None
    ) -> Retrieval:
        """Read one snapshot; when its files have vanished, as it is now; else the last good one."""
        snapshot = snapshot or self._snapshots.current()
        try:
            return read(snapshot)
        except IndexUnavailable as error:
            # a clean-up may have been quicker than this query: the registry names what is there
            logger.warning("Release %d is opened again: %s", snapshot.release.id, error)
            snapshot = self._snapshots.open_again(snapshot)
        try:
            return read(snapshot)
        except IndexUnavailable as error:
            logger.warning("Release %d cannot be read: %s", snapshot.release.id, error)
            self._snapshots.give_up(snapshot)
            other = self._snapshots.current()
            if other.is_of(snapshot.release):
                raise
            return read(other)

    def _search(
        self,
        question: str,
        expansion: Expansion,
        caller: Caller,
        limit: int,
        parsed: Filter | None,
        snapshot: Snapshot,
    ) -> Retrieval:
        """Encode a question and its other forms as the snapshot's chunks were, and search."""
        texts, passages = expansion
        started = time.perf_counter()
        vectors = self._encoded(snapshot.encoder, [question, *texts, *passages])
        encoded = _milliseconds(started)
        retrieval = self._search_in(snapshot, [question, *texts], vectors, caller, limit, parsed)
        retrieval.timings_ms["encode"] = encoded
        return retrieval

    def _encoded(self, encoder: Encoder, texts: Sequence[str]) -> np.ndarray:
        with step("encode question", {"gen_ai.operation.name": "embeddings"}):
            return self.remember(encoder, texts) if self.remember else encoder.encode(texts)

    def _search_encoded(
        self,
        encoded: _Encoded,
        caller: Caller,
        limit: int,
        parsed: Filter | None,
        snapshot: Snapshot,
    ) -> Retrieval:
        texts, vectors = encoded.texts, encoded.vectors
        if snapshot.encoder is not encoded.encoder:
            vectors = snapshot.encoder.encode(texts)
        return self._search_in(snapshot, texts, vectors, caller, limit, parsed)

    def _search_in(
        self,
        snapshot: Snapshot,
        texts: list[str],
        vectors: np.ndarray,
        caller: Caller,
        limit: int,
        parsed: Filter | None,
    ) -> Retrieval:
        condition = self.condition(snapshot, caller, parsed)
        parameters = effective(snapshot.parameters, self._settings)
        query = Query(texts, vectors, condition, max(self._settings.candidates, limit))
        method, weight = parameters.fusion, parameters.fusion_weight
        found = search(snapshot, query, method, weight, self._executor)
        degraded = [self._degradations.add("release_fallback")] if snapshot.fallback else []
        started = time.perf_counter()
        reranking = parameters.reranker != "none"
        hits = found.hits(max(limit, self._settings.rerank_candidates) if reranking else limit)
        timings = {**found.timings_ms, "rows": _milliseconds(started)}
        if reranking:
            started = time.perf_counter()
            hits = self._reranked(snapshot, texts[0], hits, parameters, degraded)[:limit]
            timings["rerank"] = _milliseconds(started)
        return Retrieval(
            texts[0], vectors[0], found, hits, condition, parameters, degraded, timings
        )

    @staticmethod
    def condition(snapshot: Snapshot, caller: Caller, parsed: Filter | None) -> str | None:
        """The prefilter: the version's own ACLs, what was forbidden since, and the filter."""
        rights = [acl_condition(caller), snapshot.rights.condition(caller)]
        known = [f"({condition})" for condition in rights if condition]
        return combine(" AND ".join(known) or None, parsed)

    def _reranked(
        self,
        snapshot: Snapshot,
        question: str,
        hits: list[Hit],
        parameters: QueryParameters,
        degraded: list[str],
    ) -> list[Hit]:
        if not hits:
            return hits
        try:
            reranker = self._make_reranker(parameters.reranker, snapshot.encoder)
            with step("rerank", {"ragline.reranker": parameters.reranker}):
                scores = reranker.score(question, [reranked_text(hit) for hit in hits])
        except RaglineError as error:
            logger.warning("The reranker was left out: %s", error)
            degraded.append(self._degradations.add("reranker_failed"))
            return hits
        fused = np.array([hit.score for hit in hits])
        blended = blend(fused, scores, parameters.rerank_weight)
        order = sorted(range(len(hits)), key=lambda index: (-blended[index], index))
        return [
            replace(hits[index], score=float(blended[index]), rerank_score=float(scores[index]))
            for index in order
        ]


def effective(parameters: QueryParameters, settings: QuerySettings) -> QueryParameters:
    """What was learned for the release, unless the settings decide."""
    changes: dict[str, object] = {}
    if settings.fusion != "learned":
        changes |= {"fusion": settings.fusion, "fusion_weight": settings.fusion_weight}
    if settings.reranker != "learned":
        changes["reranker"] = settings.reranker
    return replace(parameters, **changes)  # type: ignore[arg-type]


def reranked_text(hit: Hit) -> str:
    """What a reranker reads of a hit: where it stands, then what it says."""
    return "\n".join([" › ".join([hit.title or "", *hit.heading_path]), hit.text])


def _milliseconds(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)
