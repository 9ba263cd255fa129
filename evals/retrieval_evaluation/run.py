"""Judged questions, what one release found for them, and what follows for any fusion or reranker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
import polars as pl

from evals.golden_questions.resolve import Resolution, read_quoted_chunks, resolve
from evals.retrieval_evaluation.learning.answerability import Features
from evals.retrieval_evaluation.learning.fusion import rank_all
from evals.retrieval_evaluation.learning.reranking import (
    Scores,
    reranked_order,
    reranked_retrieval,
    score_hits,
    served_documents,
)
from rag_assets.platform.errors import RaglineError
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine, Retrieval
from rag_assets.query.parameters import QueryParameters
from rag_assets.query.rerankers.base import Reranker

from .retrieve import Progress, fused_with, retrieve_all

Relevant = dict[str, dict[str, int]]
Value = TypeVar("Value")


# Known items are searched like this, whatever the release has learned: their words are those of the
# text, so that a change of the weight alone would move them by more than it moves real questions.
NEUTRAL = QueryParameters()


class TooFewQuestions(RaglineError):
    """There are not enough judged questions for what was asked."""


@dataclass(frozen=True)
class Run:
    """Judged questions and what the engine found for them.

    Attributes:
        questions: ``GOLDEN_QUESTIONS``, more columns are fine; ``question_id`` is unique.
        retrievals: question → its search, fused with the parameters that count.
        resolution: where the evidence is in the release.
        documents: what the release holds.
        k: cutoff of the metrics.
        rerank_scores: question → scores of the reranker that counts; empty without one.
        features: question → what the engine knows about its evidence.
    """

    questions: pl.DataFrame
    retrievals: dict[str, Retrieval]
    resolution: Resolution
    documents: frozenset[str]
    k: int
    rerank_scores: Scores = field(default_factory=dict)
    features: dict[str, Features] = field(default_factory=dict)

    def of(self, questions: pl.DataFrame) -> "Run":
        """The same, of some of the questions."""
        return replace(self, questions=questions)

    def renamed(self, names: Mapping[str, str]) -> "Run":
        """The same under other question ids, of the questions that are named only.

        Args:
            names: present id → new id; of some questions of this run.
        """
        kept = self.questions.filter(pl.col("question_id").is_in(list(names)))
        unresolved, evidence = self.resolution.unresolved, self.resolution.evidence
        return replace(
            self,
            questions=kept.with_columns(pl.col("question_id").replace_strict(names)),
            retrievals=_renamed(self.retrievals, names),
            resolution=replace(
                self.resolution,
                unresolved=_renamed(unresolved, names),
                evidence=_renamed(evidence, names),
            ),
            rerank_scores=_renamed(self.rerank_scores, names),
            features=_renamed(self.features, names),
        )

    def half(self, name: str) -> "Run":
        """The same, of one half of the questions."""
        return self.of(self.questions.filter(pl.col("half") == name))

    def relevant(self, *, resolved: bool = False) -> Relevant:
        """Question → document → grade, of the answerable ones; or of those whose evidence is there."""
        found: Relevant = {}
        for question_id, items in self.questions.select("question_id", "relevant").rows():
            if items and not (resolved and question_id in self.resolution.unresolved):
                grades = found.setdefault(question_id, {})
                for item in items:
                    document, grade = item["document_id"], item["grade"]
                    grades[document] = max(grade, grades.get(document, 0))
        return found

    def answerable(self) -> dict[str, bool]:
        """Question → whether it can be answered."""
        return dict(self.questions.select("question_id", "answerable").rows())

    def fused(self, parameters: QueryParameters) -> "Run":
        """The same, as if everything had been fused with other parameters."""
        fused = {
            item: fused_with(retrieval, parameters) for item, retrieval in self.retrievals.items()
        }
        return replace(self, retrievals=fused)

    def neutral(self) -> "Run":
        """The same, searched as if nothing had been learned; see ``NEUTRAL``."""
        return replace(self, rerank_scores={}, features={}).fused(NEUTRAL)

    def scored(self, reranker: Reranker, depth: int, progress: Progress) -> "Run":
        """The same, with the scores of a reranker for all questions that have none yet."""
        known = self.rerank_scores
        missing = {item: self.retrievals[item] for item in self.retrievals if item not in known}
        scores = score_hits(reranker, missing, depth, progress)
        return replace(self, rerank_scores={**known, **scores})

    def judged(
        self, engine: QueryEngine, parameters: QueryParameters, limit: int, progress: Progress
    ) -> "Run":
        """The same, with what the engine knows about the evidence of every question."""
        features = dict(self.features)
        wanted = [item for item in self.questions["question_id"] if item not in features]
        for done, question_id in enumerate(wanted, start=1):
            served = self.as_served(question_id, parameters, limit)
            features[question_id] = engine.evidence_of(served)
            progress("judging", done, len(wanted))
        return replace(self, features=features)

    def as_served(self, question_id: str, parameters: QueryParameters, limit: int) -> Retrieval:
        """A search with the hits that the engine gives with the parameters that count."""
        retrieval = self.retrievals[question_id]
        if question_id not in self.rerank_scores:
            return replace(retrieval, hits=retrieval.found.hits(limit))
        scores, share = self.rerank_scores[question_id], parameters.rerank_weight
        return reranked_retrieval(retrieval, scores, share, limit)

    def rankings(self, ids: Sequence[str], method: str, weight: float) -> dict[str, list[str]]:
        """Documents of some questions under one fusion."""
        candidates = {item: self.retrievals[item].candidates for item in ids}
        return rank_all(candidates, method, weight, self.k)

    def reranked(self, ids: Sequence[str], share: float) -> dict[str, list[str]]:
        """Documents of some questions with the reranker that counts."""
        return {
            item: served_documents(
                self.retrievals[item].found, self.rerank_scores[item], share, self.k
            )
            for item in ids
        }

    def served(self, ids: Sequence[str], parameters: QueryParameters) -> dict[str, list[str]]:
        """Documents of some questions as they are served with the parameters that count."""
        if parameters.reranker == "none":
            return self.rankings(ids, parameters.fusion, parameters.fusion_weight)
        return self.reranked(ids, parameters.rerank_weight)

    def evidence_recall(self, question_id: str, parameters: QueryParameters) -> float | None:
        """Share of the quoted evidence in the first k passages; None where it is not all there."""
        if question_id not in self.resolution.evidence:
            return None
        found = self.retrievals[question_id].found
        scores = self.rerank_scores.get(question_id, np.empty(0))
        order = reranked_order(found, scores, parameters.rerank_weight)
        chunks = [found.candidates.chunk_id[position] for position in order[: self.k]]
        return self.resolution.evidence_recall(question_id, chunks)


def _renamed(values: Mapping[str, Value], names: Mapping[str, str]) -> dict[str, Value]:
    return {new: values[old] for old, new in names.items() if old in values}


def search_questions(
    engine: QueryEngine,
    questions: pl.DataFrame,
    callers: dict[str, Caller],
    limit: int | None,
    k: int,
    progress: Progress,
) -> Run:
    """Search for every question and find its evidence in the release that answered.

    Args:
        questions: at least one; see ``Run``.
        callers: question → who asks it.
        limit: most hits of one question; None: as the settings say.
        k: cutoff of the metrics.

    Raises:
        ReleaseChanged: the questions were answered by more than one release.
    """
    retrievals = retrieve_all(engine, questions, callers, limit, progress)
    reader = next(iter(retrievals.values())).snapshot.reader
    documents = set(reader.documents()["document_id"])
    resolution = resolve(questions, documents, read_quoted_chunks(questions, reader))
    return Run(questions, retrievals, resolution, frozenset(documents), k)
