"""Asking one release the questions that people asked, with the rights and filters they had."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from evals.retrieval_evaluation.retrieve import Progress
from rag_assets.platform.errors import RaglineError
from rag_assets.platform.platform import Platform
from rag_assets.query.answer import Answer
from rag_assets.query.engine import QueryEngine
from rag_assets.query.pinned import pinned_engine

from .overlap import Found
from .questions import RealQuestion

logger = logging.getLogger(__name__)

EXTRACTIVE = "extractive"


@dataclass(frozen=True)
class Reply:
    """What a release found and answered; ``answer`` is None where an error ended it."""

    found: Found = field(default_factory=lambda: Found.of([]))
    answer: Answer | None = None
    milliseconds: float = 0.0
    error: str = ""

    @property
    def cited(self) -> list[str]:
        """The documents that the answer cites, each once, in the order of the markers."""
        citations = self.answer.citations if self.answer else []
        return list(dict.fromkeys(item.document_id for item in citations))


def replay_engine(platform: Platform, release_id: int) -> QueryEngine:
    """An engine of one release that logs nothing, and searches for what was asked and no more.

    Raises:
        NoRelease, ConfigurationError, IndexUnavailable: it cannot be asked.
    """
    query = platform.settings.query.model_copy(update={"expansion": "none"})
    return pinned_engine(
        Platform(platform.settings.model_copy(update={"query": query})), release_id
    )


def ask_questions(
    engine: QueryEngine,
    questions: Sequence[RealQuestion],
    *,
    answerer: str,
    doing: str,
    progress: Progress,
) -> dict[str, Reply]:
    """Ask every question, one after the other: the latencies are those of single answers.

    A question that fails is one bad row and never ends the replay.

    Returns:
        question_id → reply, in the order of the questions.
    """
    replies = {}
    for done, question in enumerate(questions, start=1):
        replies[question.question_id] = _ask(engine, question, answerer)
        progress(doing, done, len(questions))
    return replies


def _ask(engine: QueryEngine, question: RealQuestion, answerer: str) -> Reply:
    text, caller, chosen = question.question, question.caller, question.filter
    try:
        hits = engine.search(text, caller, filter=chosen)
        started = time.perf_counter()
        answer = engine.ask(text, caller, filter=chosen, answerer=answerer)
    except Exception as error:  # whatever it is, it is counted, and the other questions are asked
        logger.warning("A question of the replay failed.", exc_info=error)
        words = error.message if isinstance(error, RaglineError) else str(error)
        return Reply(error=f"{type(error).__name__}: {words}".rstrip(": "))
    milliseconds = round(1000 * (time.perf_counter() - started), 3)
    return Reply(Found.of(hits), answer, milliseconds)
