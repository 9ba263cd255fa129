"""The query engine: one object for the command line, the service, the evaluations and Dagster."""

import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from rag_assets.encoders import Encoder
from rag_assets.platform.errors import IndexUnavailable, RaglineError
from rag_assets.platform.platform import Platform
from rag_assets.platform.processes import import_ahead

from .access import Caller
from .answer import Answer, Hit, Passage
from .answerers.delimiters import Delimiters, shared_key
from .answerers.llm import LLMAnswerer
from .answering import Answering, Event
from .degradation import Degradations
from .log import AnswerLog
from .parameters import QueryParameters
from .rerankers.base import Reranker
from .rerankers.registry import OF_THE_ENCODER, make_reranker
from .retrieval.documents import DocumentHit, best_passages
from .retrieval.expansion import expand
from .retrieval.retrieve import Encode, Expansion, Retrieval, Retriever, effective
from .retrieval.snapshot import Snapshot, Snapshots
from .retrieval.whole_document import read_document
from .spans import traced_answer

if TYPE_CHECKING:
    from .lineage import Lineage

__all__ = ["QueryEngine", "Retrieval"]

# passages looked at for each document that is asked for
PASSAGES_PER_DOCUMENT = 5


class QueryEngine:
    """Searches and answers from the released index. Safe to use from several threads.

    Args:
        platform: settings, database and the place of the index.
        release_id: pin this release instead of following the live one.
        candidates: whether a release may be pinned that is not for readers (its gates have not spoken
            yet, or rejected it); for evaluations.
    """

    def __init__(
        self, platform: Platform, release_id: int | None = None, *, candidates: bool = False
    ) -> None:
        self._platform = platform
        self._settings = platform.settings.query
        self.degradations = Degradations()
        self._snapshots = Snapshots(platform, release_id, candidates=candidates)
        self._rerankers: dict[tuple[str, str], Reranker] = {}
        llm = platform.settings.llm
        delimiters = Delimiters(partial(shared_key, platform))
        self._llm = (
            LLMAnswerer(llm, self._settings, delimiters=delimiters) if llm.base_url else None
        )
        self._retriever = Retriever(
            self._snapshots,
            self._settings,
            self._reranker,
            self._expand if self._settings.expansion != "none" and self._llm else None,
            self.degradations,
        )

    @property
    def encoder(self) -> Encoder:
        """The encoder of the current release, which may not be the one that is configured now."""
        return self._snapshots.current().encoder

    def snapshot(self) -> Snapshot:
        """The release that a question would be asked of now.

        Raises:
            NoRelease, IndexUnavailable, ConfigurationError: as ``retrieve``.
        """
        return self._snapshots.current()

    def remember_vectors(self, encode: Encode | None) -> None:
        """Let something else encode questions, e.g. a cache that stands before the encoder."""
        self._retriever.remember = encode

    def warm_up(self) -> None:
        """Load the encoder while the index is being opened: both take a part of a second."""
        if self._llm is not None:
            # the client's library takes a second or more, which the first question would wait for
            import_ahead("openai", "httpx2")
        failures: list[RaglineError] = []
        encoder = self._snapshots.encoder()

        def load() -> None:
            try:
                encoder.warm_up()
            except RaglineError as error:
                failures.append(error)

        thread = threading.Thread(target=load)
        thread.start()
        try:
            self._snapshots.current()
        finally:
            thread.join()
        if failures:
            raise failures[0]

    def retrieve(
        self, question: str, caller: Caller, *, filter: str = "", limit: int | None = None
    ) -> Retrieval:
        """Everything a search knows: candidates of both legs, scores, hits, timings.

        Args:
            question: a question or a few words.
            caller: whose rights the search runs with.
            filter: an expression of the filter language; see ``filters``.
            limit: most hits.

        Raises:
            NoRelease: nothing has been released yet.
            InvalidQuestion: the question is empty or too long, or the filter is not one.
            IndexUnavailable: neither the release nor an older one can be read.
        """
        wanted = self._settings.limit if limit is None else limit
        return self._retriever.retrieve(question, caller, wanted, filter=filter)

    def retrieve_many(
        self,
        questions: Sequence[str],
        caller: Caller,
        *,
        filter: str = "",
        limit: int | None = None,
    ) -> Iterator[Retrieval]:
        """``retrieve`` for many questions, encoded in batches and never expanded."""
        wanted = self._settings.limit if limit is None else limit
        return self._retriever.retrieve_many(questions, caller, wanted, filter=filter)

    def search(
        self, question: str, caller: Caller, limit: int | None = None, *, filter: str = ""
    ) -> list[Hit]:
        """The passages that fit a question best and that the caller may read; see ``retrieve``."""
        return self.retrieve(question, caller, filter=filter, limit=limit).hits

    def retrieve_documents(
        self, question: str, caller: Caller, limit: int | None = None, *, filter: str = ""
    ) -> tuple[Retrieval, list[DocumentHit]]:
        """The documents with the best passages, each with that passage, and the search for them."""
        wanted = self._settings.limit if limit is None else limit
        depth = wanted * PASSAGES_PER_DOCUMENT
        retrieval = self.retrieve(question, caller, filter=filter, limit=depth)
        return retrieval, best_passages(retrieval.hits)[:wanted]

    def ask(
        self,
        question: str,
        caller: Caller,
        limit: int | None = None,
        *,
        filter: str = "",
        task: str = "",
        answerer: str = "",
    ) -> Answer:
        """Answer a question with citations, or say that nothing supports an answer.

        Args:
            question, caller, limit, filter: see ``retrieve``.
            task: prompt template; default ``query.task``.
            answerer: ``extractive`` or ``llm``; default ``query.answerer``.
        """
        for event in self.stream(
            question, caller, limit, filter=filter, task=task, answerer=answerer
        ):
            if isinstance(event, Answer):
                return event
        raise AssertionError("a stream ends with an answer")

    def stream(
        self,
        question: str,
        caller: Caller,
        limit: int | None = None,
        *,
        filter: str = "",
        task: str = "",
        answerer: str = "",
    ) -> Iterator[Event]:
        """``ask``, as it happens: ``Token`` events, then one ``Answer``, which is what counts.

        A ``Reset`` says that the tokens so far are void: an answerer broke off and another one
        takes over. Closing the iterator stops the answerer.
        """
        self._answering.order(answerer)  # a wrong name is said before anything is searched

        events = self._answer(question, caller, limit, filter=filter, task=task, answerer=answerer)
        yield from traced_answer(question, events)

    def ask_and_read(
        self, question: str, caller: Caller, *, answerer: str = ""
    ) -> tuple[Answer, list[Passage]]:
        """``ask``, with the passages that the answerer read; those found when it abstained."""
        events = self._answer(question, caller, None, answerer=answerer)
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                assert isinstance(event, Answer)  # a stream ends with an answer
                return event, end.value

    def evidence_of(self, retrieval: Retrieval) -> dict[str, float]:
        """The features from which the release's model judges whether it can answer."""
        return self._answering.evidence(retrieval)

    def read_document(self, document_id: str, caller: Caller) -> tuple[list[Hit], dict[str, Any]]:
        """The passages of one document in reading order, as far as the caller may read it.

        Args:
            document_id: of a document.
            caller: whose rights decide; without them there is no passage, as for an unknown document.

        Returns:
            the passages, with score 0, and the release that they were read from.
        """
        found, snapshot = read_document(self._snapshots, document_id, caller)
        return found, self.release_info(snapshot)

    def lineage(self, answer_id: str, caller: Caller) -> "Lineage":
        """Where an answer comes from: passages, document versions, runs, configuration, release."""
        from .lineage import lineage_of

        return lineage_of(self._platform, answer_id, caller)

    @property
    def parameters(self) -> QueryParameters:
        """What the current release is searched with."""
        return effective(self._snapshots.current().parameters, self._settings)

    def release_info(self, snapshot: Snapshot | None = None) -> dict[str, Any]:
        """Which release answers, and how far it may lie behind its sources."""
        release = (snapshot or self._snapshots.current()).release
        lag = (datetime.now(UTC) - release.created_at).total_seconds()
        return {
            "id": release.id,
            "created_at": release.created_at.isoformat(),
            "source_lag_seconds": round(max(lag, 0.0), 1),
        }

    def _answer(
        self, question: str, caller: Caller, limit: int | None, *, filter: str = "", **wishes: str
    ) -> Generator[Event, None, list[Passage]]:
        """Search and answer; once more when the release's files vanish before the first word."""

        def begin(retrieval: Retrieval) -> Generator[Event, None, list[Passage]]:
            release = self.release_info(retrieval.snapshot)
            return self._answering.answer(retrieval, caller, release, filter=filter, **wishes)

        retrieval = self.retrieve(question, caller, filter=filter, limit=limit)
        events = begin(retrieval)
        try:
            first = next(events)
        except IndexUnavailable:
            # neighbours of the hits are read after the search
            self._snapshots.open_again(retrieval.snapshot)
            events = begin(self.retrieve(question, caller, filter=filter, limit=limit))
            first = next(events)
        with closing(events):
            yield first
            return (yield from events)

    @cached_property
    def _answering(self) -> Answering:
        platform = self._platform
        log = AnswerLog(platform.database, self._settings.log, platform.log_database)
        return Answering(platform, self._llm, self.degradations, log)

    def _reranker(self, name: str, encoder: Encoder) -> Reranker:
        key = name, encoder.fingerprint if name in OF_THE_ENCODER else ""
        if key not in self._rerankers:
            self._rerankers[key] = make_reranker(name, self._settings, encoder)
        return self._rerankers[key]

    def _expand(self, question: str) -> Expansion:
        assert self._llm is not None
        kind = self._settings.expansion
        forms = expand(question, kind, self._llm.client)
        return ([], forms) if kind == "hyde" else (forms, [])
