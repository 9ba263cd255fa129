"""Asking an engine for an answer to every question of a set, with the rights of each."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from evals.retrieval_evaluation.retrieve import Progress, ReleaseChanged
from rag_assets.platform.errors import RaglineError
from rag_assets.query.access import Caller
from rag_assets.query.answer import Answer, Passage
from rag_assets.query.engine import QueryEngine

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """What became of one question.

    Attributes:
        answer: None where an error ended it.
        passages: what the answerer read; what was found where it abstained.
        milliseconds: from the question to the answer, or to the error.
        error: what ended it; empty where there is an answer.
    """

    answer: Answer | None
    passages: tuple[Passage, ...]
    milliseconds: float
    error: str = ""


def ask_all(
    engine: QueryEngine,
    questions: pl.DataFrame,
    callers: Mapping[str, Caller],
    progress: Progress,
) -> dict[str, Asked]:
    """Ask every question by the answerer that the settings name, one after the other.

    A question that fails is one bad row and never ends the run. One after the other, because the
    latencies are those of single answers.

    Args:
        questions: ``GOLDEN_QUESTIONS``.
        callers: question → who asks it; see ``retrieve.callers_of``.

    Returns:
        question → what became of it, in the order of the questions.

    Raises:
        ReleaseChanged: the questions were answered by more than one release.
    """
    found: dict[str, Asked] = {}
    for question_id, text in questions.select("question_id", "question").rows():
        found[question_id] = _ask(engine, text, callers[question_id])
        progress("answering", len(found), questions.height)
    releases = {asked.answer.release["id"] for asked in found.values() if asked.answer}
    if len(releases) > 1:
        raise ReleaseChanged(
            "A newer release went live during the evaluation.",
            f"Run it again, or name one release with --release, e.g. {max(releases)}.",
        )
    return found


def _ask(engine: QueryEngine, question: str, caller: Caller) -> Asked:
    started = time.perf_counter()
    try:
        answer, passages = engine.ask_and_read(question, caller)
    except Exception as error:  # whatever it is, it is counted, and the other questions are asked
        logger.warning("A question of the evaluation failed.", exc_info=error)
        return Asked(None, (), _since(started), _described(error))
    return Asked(answer, tuple(passages), _since(started))


def _since(started: float) -> float:
    return round(1000 * (time.perf_counter() - started), 3)


def _described(error: Exception) -> str:
    """The words for people where there are any, without what to do next."""
    words = error.message if isinstance(error, RaglineError) else str(error)
    return f"{type(error).__name__}: {words}".rstrip(": ")
