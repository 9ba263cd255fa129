"""The whole difference of two releases: what they hold, how they were made, how good they are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from evals.golden_questions.collect import read_golden_questions
from evals.retrieval_evaluation.retrieve import Progress
from rag_assets.platform.errors import ConfigurationError, IndexUnavailable, NoRelease
from rag_assets.platform.platform import Platform
from rag_assets.query.pinned import pinned_engine
from rag_assets.releases.diff import IndexDiff, diff_indices
from rag_assets.releases.registry import Release

from .asking import OpenEngine, ask_both
from .metrics import MetricChange, answer_metrics, retrieval_metrics
from .pairs import Pairs, stored_pairs
from .questions import QuestionChange, by_damage, question_changes


@dataclass(frozen=True)
class ReleaseDiff:
    """What changed from one release to another.

    Attributes:
        index: documents, chunks, configuration, fingerprints, learned parameters.
        metrics: of every set that both were measured on.
        questions: whose top results changed, the most damage first.
        compared: how many questions were searched for in both.
        notes: in words, what could not be compared and why.
    """

    index: IndexDiff
    metrics: tuple[MetricChange, ...]
    questions: tuple[QuestionChange, ...]
    compared: int
    notes: tuple[str, ...] = ()

    @property
    def before(self) -> Release:
        """The earlier release."""
        return self.index.before

    @property
    def after(self) -> Release:
        """The later release."""
        return self.index.after

    def to_dict(self, limit: int | None = None) -> dict[str, Any]:
        """JSON without any text of a document; ``limit``: most documents and questions listed."""
        return {
            **self.index.to_dict(limit),
            "metrics": [change.to_dict() for change in self.metrics],
            "questions": {
                "compared": self.compared,
                "changed": len(self.questions),
                "worse": sum(change.damage > 0 for change in self.questions),
                "better": sum(change.damage < 0 for change in self.questions),
                "changes": [change.to_dict() for change in self.questions[:limit]],
            },
            "notes": list(self.notes),
        }


def diff_releases(
    platform: Platform,
    before: Release,
    after: Release,
    *,
    ask: bool = False,
    open_engine: Callable[[int], Any] | None = None,
    progress: Progress = lambda doing, done, total: None,
) -> ReleaseDiff:
    """Compare two releases.

    Quality is compared by what the stored evaluations say; a release is compared with itself by what
    it holds only.

    Args:
        before, after: releases that can be read.
        ask: whether both are searched for the golden questions of sets that no stored evaluation
            has of both.
        open_engine: release → an engine pinned to it, instead of ``pinned_engine``.

    Raises:
        ReleaseConflict: one of them has been removed.
        IndexUnavailable: one of them cannot be read.
    """
    index = diff_indices(platform, before, after)
    if before.id == after.id:
        return ReleaseDiff(index, (), (), 0)
    confidence = platform.settings.gates.confidence
    pairs, notes = stored_pairs(platform, before.id, after.id)
    if ask:
        engines: OpenEngine = open_engine or (lambda release: pinned_engine(platform, release))
        found, why = _asked(platform, before, after, pairs, engines, progress)
        known = {item.dataset for item in found}
        notes = [note for note in notes if note.partition(":")[0] not in known] + why
        pairs = sorted([*pairs, *found], key=lambda item: item.dataset)
    answers, more = answer_metrics(platform, before.id, after.id, confidence)
    metrics = [change for item in pairs for change in retrieval_metrics(item, confidence)]
    questions = [change for item in pairs for change in question_changes(item)]
    compared = sum(item.rows["baseline_evidence"].count() for item in pairs)
    return ReleaseDiff(
        index, (*metrics, *answers), tuple(by_damage(questions)), compared, (*notes, *more)
    )


def _asked(
    platform: Platform,
    before: Release,
    after: Release,
    known: list[Pairs],
    open_engine: OpenEngine,
    progress: Progress,
) -> tuple[list[Pairs], list[str]]:
    """What both find for the sets that are not known yet; or in words, why they cannot be asked."""
    questions = read_golden_questions(platform)
    left = questions.filter(~pl.col("dataset").is_in([item.dataset for item in known]))
    if left.is_empty():
        return [], ["there are no golden questions to ask"] if questions.is_empty() else []
    try:
        return ask_both(platform, before.id, after.id, left, open_engine, progress), []
    except (ConfigurationError, IndexUnavailable, NoRelease) as error:
        return [], [f"not asked: {error.message}"]
