"""An engine whose questions are counted and timed; what it does is left as it is."""

import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from rag_assets.platform.interruption import Interrupted
from rag_assets.query.access import Caller
from rag_assets.query.answer import Answer, Hit, Token
from rag_assets.query.answering import Event
from rag_assets.query.retrieval.documents import DocumentHit
from rag_assets.query.retrieval.retrieve import Retrieval

from .context import note
from .metrics import Metrics

# the part of timings_ms that says how long the cache took; absent where nothing was cached
CACHE_TIMING = "cache"
LLM_TIMING = "answer_llm"


class MeasuredEngine:
    """Passes every call on to an engine and tells the metrics of it.

    Args:
        engine: a ``QueryEngine``, or one that a cache stands before.
        metrics: what counts.
    """

    def __init__(self, engine: Any, metrics: Metrics) -> None:
        self._engine = engine
        self._metrics = metrics

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def ask(self, question: str, caller: Caller, limit: int | None = None, **wishes: Any) -> Answer:
        """See ``QueryEngine.ask``."""
        with self._question() as course:
            return course.ended(self._engine.ask(question, caller, limit, **wishes))

    def stream(
        self, question: str, caller: Caller, limit: int | None = None, **wishes: Any
    ) -> Generator[Event, None, None]:
        """See ``QueryEngine.stream``."""
        with self._question() as course:
            for event in self._engine.stream(question, caller, limit, **wishes):
                if isinstance(event, Token):
                    course.spoke()
                elif isinstance(event, Answer):
                    course.ended(event)
                yield event

    def retrieve(self, question: str, caller: Caller, **options: Any) -> Retrieval:
        """See ``QueryEngine.retrieve``."""
        with self._search():
            return self._noted(self._engine.retrieve(question, caller, **options))

    def search(
        self, question: str, caller: Caller, limit: int | None = None, **options: Any
    ) -> list[Hit]:
        """See ``QueryEngine.search``."""
        with self._search():
            return self._engine.search(question, caller, limit, **options)

    def retrieve_documents(
        self, question: str, caller: Caller, limit: int | None = None, **options: Any
    ) -> tuple[Retrieval, list[DocumentHit]]:
        """See ``QueryEngine.retrieve_documents``."""
        with self._search():
            retrieval, documents = self._engine.retrieve_documents(
                question, caller, limit, **options
            )
            return self._noted(retrieval), documents

    def _noted(self, retrieval: Retrieval) -> Retrieval:
        _retrieved(self._metrics, retrieval.timings_ms, retrieval.degraded)
        return retrieval

    @contextmanager
    def _search(self) -> Iterator[None]:
        outcome = "failed"
        try:
            yield
            outcome = "found"
        finally:
            self._metrics.count("ragline_searches_total", outcome=outcome)

    @contextmanager
    def _question(self) -> Iterator["_Course"]:
        course = _Course(self._metrics)
        self._metrics.change("ragline_questions_in_progress", 1)
        try:
            yield course
        except (GeneratorExit, Interrupted):
            course.broke("cancelled")
            raise
        except Exception:
            course.broke("failed")
            raise
        finally:
            self._metrics.change("ragline_questions_in_progress", -1)


class _Course:
    """One question from its beginning to its end."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._started = time.perf_counter()
        self._first_token: float | None = None
        self._done = False

    def spoke(self) -> None:
        if self._first_token is None:
            self._first_token = self._elapsed()

    def broke(self, outcome: str) -> None:
        if not self._done:
            self._metrics.count("ragline_questions_total", outcome=outcome, answerer="none")

    def ended(self, answer: Answer) -> Answer:
        self._done = True
        note(answer_id=answer.answer_id)
        metrics, timings = self._metrics, answer.timings_ms
        cache = "hit" if CACHE_TIMING in timings else "miss"
        answerer = "none" if answer.abstained else answer.answerer.partition(":")[0]
        outcome = "abstained" if answer.abstained else "answered"
        metrics.count("ragline_questions_total", outcome=outcome, answerer=answerer)
        metrics.observe("ragline_answer_seconds", self._elapsed(), cache=cache)
        if self._first_token is not None:
            metrics.observe("ragline_first_token_seconds", self._first_token, cache=cache)
        if cache == "hit":
            return answer
        _retrieved(metrics, timings, answer.degraded)
        if LLM_TIMING in timings:
            metrics.observe("ragline_model_seconds", timings[LLM_TIMING] / 1000)
        metrics.count("ragline_tokens_total", answer.usage.prompt_tokens, kind="prompt")
        metrics.count("ragline_tokens_total", answer.usage.completion_tokens, kind="completion")
        metrics.count("ragline_cost_usd_total", answer.usage.cost_usd)
        return answer

    def _elapsed(self) -> float:
        return time.perf_counter() - self._started


def _retrieved(metrics: Metrics, timings: dict[str, float], degraded: list[str]) -> None:
    if "retrieve" in timings:
        metrics.observe("ragline_retrieval_seconds", timings["retrieve"] / 1000)
    for kind in degraded:
        metrics.count("ragline_degradations_total", kind=kind)
