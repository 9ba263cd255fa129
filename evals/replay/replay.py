"""Real questions, asked of two releases."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from evals.retrieval_evaluation.retrieve import Progress
from rag_assets.platform.platform import Platform
from rag_assets.releases.registry import Release

from .ask import EXTRACTIVE, ask_questions, replay_engine
from .compare import compare_replies
from .questions import RealQuestion
from .summary import summarize


@dataclass(frozen=True)
class Replayed:
    """Two releases beside each other.

    Attributes:
        candidate, baseline: ids of the releases.
        rows: ``REPLAYED``, one a question, in the order in which they were given.
        summary: see ``summary.summarize``; without a word of any document.
    """

    candidate: int
    baseline: int
    rows: pl.DataFrame
    summary: dict[str, Any]


def replay(
    platform: Platform,
    candidate: Release,
    live: Release,
    questions: Sequence[RealQuestion],
    *,
    answerer: str = EXTRACTIVE,
    progress: Progress = lambda doing, done, total: None,
) -> Replayed:
    """Ask two releases the same questions and compare what they find and answer.

    Every question is asked with the rights and the filter that it was asked with, is not expanded
    by an LLM, and leaves no trace in the query log.

    Args:
        platform: the deployment.
        candidate, live: the releases; any two that can be read.
        questions: see ``questions.real_questions``.
        answerer: ``extractive``, which depends on nothing but the documents, or ``llm``.

    Raises:
        NoRelease, ConfigurationError, IndexUnavailable: one of the releases cannot be asked.
    """
    replies = {}
    for release in (live, candidate):
        replies[release.id] = ask_questions(
            replay_engine(platform, release.id),
            questions,
            answerer=answerer,
            doing=f"asking release {release.id}",
            progress=progress,
        )
    same_parser = candidate.fingerprints.get("parser") == live.fingerprints.get("parser")
    rows = compare_replies(
        questions, replies[candidate.id], replies[live.id], same_parser=same_parser
    )
    return Replayed(candidate.id, live.id, rows, summarize(rows, answerer))
