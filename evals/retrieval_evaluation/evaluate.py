"""Evaluating retrieval and abstention of one release on one question set, and learning from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from evals.golden_questions.resolve import Resolution, read_quoted_chunks, resolve
from evals.retrieval_evaluation.learning.answerability import (
    Features,
    learn_abstention,
    report_abstention,
)
from evals.retrieval_evaluation.learning.fusion import LearnedFusion, learn_fusion, rank_all
from evals.retrieval_evaluation.learning.reranking import (
    LearnedReranker,
    Scores,
    learn_reranker,
    rerank_depth,
    reranked_order,
    reranked_retrieval,
    score_hits,
    scores_of_hits,
    served_documents,
)
from evals.statistics import mean_interval, paired_difference
from rag_assets.platform.errors import RaglineError
from rag_assets.platform.settings import QuerySettings
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine, Retrieval
from rag_assets.query.parameters import QueryParameters
from rag_assets.query.rerankers.base import Reranker
from rag_assets.query.rerankers.registry import make_reranker

from .citations import evaluate_citations
from .metrics import metric_names, score_rankings
from .retrieve import Progress, callers_of, fused_with, measure_latency, retrieve_all

# fewer judged questions do not make a weight
MIN_TO_LEARN = 20
LEGS = ("dense", "full_text")

Relevant = dict[str, dict[str, int]]


class TooFewQuestions(RaglineError):
    """There are not enough judged questions for what was asked."""


@dataclass(frozen=True)
class Evaluation:
    """What came out.

    Attributes:
        summary: the JSON form; keys are described in docs/evaluation.md.
        parameters: what the release is to be searched with; learned where that was asked for.
        questions: one row for each reported question: question_id, ranking (documents, best first),
            and one column for each metric.
    """

    summary: dict[str, Any]
    parameters: QueryParameters
    questions: pl.DataFrame


@dataclass(frozen=True)
class _Run:
    """A set of judged questions and what the engine found for them.

    Attributes:
        retrievals: question → its search, fused with the parameters that count.
        rerank_scores: question → scores of the reranker that counts; empty without one.
        features: question → what the engine knows about its evidence.
    """

    questions: pl.DataFrame
    retrievals: dict[str, Retrieval]
    resolution: Resolution
    k: int
    rerank_scores: Scores = field(default_factory=dict)
    features: dict[str, Features] = field(default_factory=dict)

    def half(self, name: str) -> "_Run":
        """The same, of one half of the questions."""
        return replace(self, questions=self.questions.filter(pl.col("half") == name))

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

    def fused(self, parameters: QueryParameters) -> "_Run":
        """The same, as if everything had been fused with other parameters."""
        fused = {
            item: fused_with(retrieval, parameters) for item, retrieval in self.retrievals.items()
        }
        return replace(self, retrievals=fused)

    def scored(self, reranker: Reranker, depth: int, progress: Progress) -> "_Run":
        """The same, with the scores of a reranker for all questions that have none yet."""
        known = self.rerank_scores
        missing = {item: self.retrievals[item] for item in self.retrievals if item not in known}
        scores = score_hits(reranker, missing, depth, progress)
        return replace(self, rerank_scores={**known, **scores})

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

    def chunk_order(self, question_id: str, parameters: QueryParameters) -> list[str]:
        """All chunks of a search, best first."""
        found = self.retrievals[question_id].found
        scores = self.rerank_scores.get(question_id, np.empty(0))
        order = reranked_order(found, scores, parameters.rerank_weight)
        return [found.candidates.chunk_id[position] for position in order]


def evaluate(
    engine: QueryEngine,
    questions: pl.DataFrame,
    caller: Caller,
    *,
    settings: QuerySettings,
    dataset: str,
    k: int = 10,
    learn: bool = False,
    try_rerankers: Sequence[str] = (),
    balance: float | None = None,
    progress: Progress = lambda doing, done, total: None,
) -> Evaluation:
    """Measure how well a release is searched and, if wanted, learn how to search it better.

    Without ``learn`` the release's own parameters are measured on all questions. With it they are
    learned from the training half of the questions and measured on the other half.

    Args:
        questions: ``GOLDEN_QUESTIONS``; what nobody judged is counted and left out.
        caller: asks the questions that name no groups.
        settings: the engine's own; what a search without further wishes gives.
        dataset: name of the question set, for the report.
        k: cutoff of the metrics.
        try_rerankers: with ``learn``: names of rerankers of which the best is taken if it proves
            itself, else none. Without a name the reranker of the release stays as it is.
        balance: see ``answerability.learn_abstention``.

    Raises:
        TooFewQuestions: nothing to report on, or too little to learn from.
        ReleaseChanged: a newer release went live meanwhile.
        RerankerError: a reranker failed, or there is none of a name.
    """
    judged = questions.filter(pl.col("answerable").is_not_null())
    _require(judged, learn)
    parameters = engine.parameters
    rerankers = _rerankers(engine, settings, try_rerankers) if learn else []
    callers = callers_of(judged, caller)
    # nothing less shows what a reranker that is on made of all it has seen
    limit = rerank_depth(settings) if parameters.reranker != "none" else None
    run = _search(engine, judged, callers, limit, k, progress)
    if learn:
        parameters = _with_learned_fusion(run, parameters, dataset)
        run = run.fused(parameters)
    if rerankers:
        parameters, run = _with_learned_reranker(run, parameters, rerankers, settings, progress)
    elif parameters.reranker != "none":
        run = _with_present_reranker(engine, run, parameters, settings, learn, progress)
    run = _judge_evidence(engine, run, parameters, settings.limit, learn, progress)
    if learn:
        train = run.half("train").answerable()
        model = learn_abstention(run.features, train, balance) if run.features else None
        parameters = replace(parameters, abstention=model)
    reported = run.half("report") if learn else run
    summary, rows = _report(reported, parameters, learned=learn)
    everything = {
        "dataset": dataset,
        **summary,
        "parameters": parameters.to_dict(),
        # answers are given with the parameters that the release has, not with those just learned
        "citations": None
        if learn
        else evaluate_citations(engine, reported.questions, callers, progress),
        "judge": None,
        "latency_ms": measure_latency(engine, reported.questions, callers, k, progress),
        "release": engine.release_info(),
        "split": dict(judged.group_by("half").len().sort("half").rows()),
        "unjudged": len(questions) - len(judged),
        "groups": sorted({group for who in callers.values() for group in who.groups}),
    }
    return Evaluation(everything, parameters, rows)


def _rerankers(
    engine: QueryEngine, settings: QuerySettings, names: Sequence[str]
) -> list[Reranker]:
    """Rerankers as the engine makes them, each once, loaded: what is missing is said at once."""
    rerankers = [make_reranker(name, settings, engine.encoder) for name in dict.fromkeys(names)]
    for reranker in rerankers:
        reranker.warm_up()
    return rerankers


def _require(judged: pl.DataFrame, learn: bool) -> None:
    answerable = judged.filter(pl.col("answerable"))
    halves = dict(answerable.group_by("half").len().rows())
    if learn and halves.get("train", 0) < MIN_TO_LEARN:
        raise TooFewQuestions(
            f"Only {halves.get('train', 0)} answerable questions are in the half that parameters are "
            f"learned from; at least {MIN_TO_LEARN} are needed.",
            "Add questions, or evaluate without --learn.",
        )
    if not (halves.get("report", 0) if learn else len(answerable)):
        raise TooFewQuestions(
            "The set has no question to report on that somebody judged answerable.",
            "Check its judgements and the split.",
        )


def _search(
    engine: QueryEngine,
    questions: pl.DataFrame,
    callers: dict[str, Caller],
    limit: int | None,
    k: int,
    progress: Progress,
) -> _Run:
    retrievals = retrieve_all(engine, questions, callers, limit, progress)
    reader = next(iter(retrievals.values())).snapshot.reader
    documents = set(reader.documents()["document_id"])
    resolution = resolve(questions, documents, read_quoted_chunks(questions, reader))
    run = _Run(questions, retrievals, resolution, k)
    if not run.relevant(resolved=True):
        raise TooFewQuestions(
            "The release holds the evidence of none of the questions.",
            "Check that the set belongs to the ingested sources (--source).",
        )
    return run


def _with_learned_fusion(run: _Run, present: QueryParameters, dataset: str) -> QueryParameters:
    train = run.half("train").relevant(resolved=True)
    if len(train) < MIN_TO_LEARN:
        raise TooFewQuestions(
            f"The evidence of only {len(train)} questions to learn from is in the release; at least "
            f"{MIN_TO_LEARN} are needed.",
            "Check that the set belongs to the ingested sources (--source).",
        )
    candidates = {item: run.retrievals[item].candidates for item in train}
    learned: LearnedFusion = learn_fusion(candidates, train, run.k)
    return replace(
        present,
        fusion="weighted",
        fusion_weight=learned.weight,
        learned_from={
            "dataset": dataset,
            "questions": learned.questions,
            "metric": f"ndcg@{run.k}",
            "value": round(learned.value, 4),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )


def _with_learned_reranker(
    run: _Run,
    fused: QueryParameters,
    rerankers: Sequence[Reranker],
    settings: QuerySettings,
    progress: Progress,
) -> tuple[QueryParameters, _Run]:
    """The parameters with the reranker that proved itself, or none, and its scores."""
    train = run.half("train").relevant(resolved=True)
    depth = rerank_depth(settings)
    without = run.rankings(list(train), fused.fusion, fused.fusion_weight)
    learned = learn_reranker(run.retrievals, train, without, rerankers, depth, run.k, progress)
    parameters = replace(
        fused, reranker="none", learned_from=_learned_from(fused.learned_from, learned, depth)
    )
    if learned.chosen is None:
        return parameters, run
    name, weight = learned.chosen.reranker, learned.chosen.weight
    chosen = next(reranker for reranker in rerankers if reranker.name == name)
    run = replace(run, rerank_scores=learned.scores).scored(chosen, depth, progress)
    return replace(parameters, reranker=name, rerank_weight=weight), run


def _with_present_reranker(
    engine: QueryEngine,
    run: _Run,
    parameters: QueryParameters,
    settings: QuerySettings,
    learn: bool,
    progress: Progress,
) -> _Run:
    """The scores of the reranker that is on; anew where other hits come first by now."""
    if not learn:
        return replace(run, rerank_scores=scores_of_hits(run.retrievals))
    reranker = _rerankers(engine, settings, [parameters.reranker])[0]
    return run.scored(reranker, rerank_depth(settings), progress)


def _learned_from(
    fusion: Mapping[str, Any], learned: LearnedReranker, depth: int
) -> dict[str, Any]:
    """Where the fusion comes from, and which rerankers were tried with what result."""
    value = learned.chosen.value if learned.chosen else learned.without
    reranking = {
        "candidates": depth,
        "without": round(learned.without, 4),
        "tried": [trial.to_dict() for trial in learned.trials],
    }
    return {**fusion, "value": round(value, 4), "reranking": reranking}


def _judge_evidence(
    engine: QueryEngine,
    run: _Run,
    parameters: QueryParameters,
    limit: int,
    learn: bool,
    progress: Progress,
) -> _Run:
    """What the engine knows about the evidence, where some questions have none."""
    labels = run.answerable()
    if all(labels.values()) or not (learn or parameters.abstention):
        return run
    features: dict[str, Features] = {}
    for question_id in labels:
        served = run.as_served(question_id, parameters, limit)
        features[question_id] = engine.evidence_of(served)
        progress("judging", len(features), len(labels))
    return replace(run, features=features)


def _report(
    run: _Run, parameters: QueryParameters, *, learned: bool
) -> tuple[dict[str, Any], pl.DataFrame]:
    relevant = run.relevant()
    ids, names = list(relevant), metric_names(run.k)
    rankings = _rankings_by_method(run, ids, parameters, learned)
    scores = {method: score_rankings(found, relevant, names) for method, found in rankings.items()}
    main = next(reversed(scores))
    values = scores[main]
    intervals = {name: mean_interval(value) for name, value in values.items()}
    rows = pl.DataFrame({"question_id": ids, "ranking": list(rankings[main].values()), **values})
    unresolved = {item: why for item, why in run.resolution.unresolved.items() if item in relevant}
    model = parameters.abstention
    summary = {
        "queries": len(ids),
        "metrics": {name: interval.mean for name, interval in intervals.items()},
        "confidence": {name: [item.low, item.high] for name, item in intervals.items()},
        "method": main,
        "methods": {
            method: {name: float(value.mean()) for name, value in kinds.items()}
            for method, kinds in scores.items()
        },
        "gain": _gain(scores, main, f"ndcg@{run.k}"),
        "reranking_gain": _gain_over(scores, main, "fused", f"ndcg@{run.k}"),
        "evidence": _evidence(run, ids, parameters),
        "tags": _by_tag(run.questions, rows, names),
        "abstention": report_abstention(model, run.features, run.answerable())
        if model and run.features
        else None,
        "unresolved": {"count": len(unresolved), "questions": unresolved},
    }
    return summary, rows


def _rankings_by_method(
    run: _Run, ids: Sequence[str], parameters: QueryParameters, learned: bool
) -> dict[str, dict[str, list[str]]]:
    """The methods side by side; the last is the one that counts."""
    methods = {
        "dense": run.rankings(ids, "weighted", 1.0),
        "full_text": run.rankings(ids, "weighted", 0.0),
        "equal": run.rankings(ids, "weighted", 0.5),
        "rrf": run.rankings(ids, "rrf", 0.5),
    }
    name = "learned" if learned else "release"
    fused = run.rankings(ids, parameters.fusion, parameters.fusion_weight)
    if parameters.reranker == "none":
        return {**methods, name: fused}
    return {**methods, "fused": fused, name: run.reranked(ids, parameters.rerank_weight)}


def _gain(
    scores: Mapping[str, Mapping[str, np.ndarray]], main: str, metric: str
) -> dict[str, Any] | None:
    """How much better the method that counts is than the better leg alone, with its confidence."""
    leg = max(LEGS, key=lambda name: float(scores[name][metric].mean()))
    return _gain_over(scores, main, leg, metric)


def _gain_over(
    scores: Mapping[str, Mapping[str, np.ndarray]], main: str, other: str, metric: str
) -> dict[str, Any] | None:
    """How much better one method is than another; None where the other was not measured."""
    if other not in scores:
        return None
    difference = paired_difference(scores[main][metric], scores[other][metric])
    return {
        "metric": metric,
        "over": other,
        "mean": difference.mean,
        "confidence": [difference.low, difference.high],
    }


def _evidence(run: _Run, ids: Sequence[str], parameters: QueryParameters) -> dict[str, Any] | None:
    """Share of the quoted evidence in the first k passages; None where the set quotes nothing."""
    quoted = [item for item in ids if item in run.resolution.evidence]
    if not quoted:
        return None
    values = []
    for item in quoted:
        found = run.chunk_order(item, parameters)
        values.append(run.resolution.evidence_recall(item, found[: run.k]))
    interval = mean_interval(np.array(values))
    return {
        f"recall@{run.k}": interval.mean,
        "confidence": [interval.low, interval.high],
        "queries": len(quoted),
    }


def _by_tag(questions: pl.DataFrame, rows: pl.DataFrame, names: Sequence[str]) -> dict[str, Any]:
    """The metrics of every tag, with how many questions carry it."""
    tagged = rows.join(
        questions.select("question_id", pl.col("tags").alias("tag")), on="question_id"
    ).explode("tag")
    means = (
        tagged.drop_nulls("tag")
        .group_by("tag")
        .agg(pl.len().alias("queries"), *(pl.col(name).mean() for name in names))
        .sort("tag")
    )
    return {row.pop("tag"): row for row in means.iter_rows(named=True)}
