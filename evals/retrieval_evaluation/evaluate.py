"""Evaluating retrieval and abstention of one release on one question set, and learning from it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from rag_assets.platform.settings import QuerySettings
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.query.parameters import QueryParameters

from .citations import evaluate_citations
from .learning.parameters import MIN_TO_LEARN, Lesson, learn_parameters, loaded_rerankers
from .learning.reranking import rerank_depth, scores_of_hits
from .report import report
from .retrieve import Progress, callers_of, measure_latency
from .run import Run, TooFewQuestions, search_questions


@dataclass(frozen=True)
class Evaluation:
    """What came out.

    Attributes:
        summary: the JSON form; keys are described in docs/evaluation.md.
        parameters: what the release is to be searched with; learned where that was asked for.
        questions: one row for each reported question: question_id, ranking (documents, best first),
            and one column for each metric.
        run: the reported questions and what was found for them.
    """

    summary: dict[str, Any]
    parameters: QueryParameters
    questions: pl.DataFrame
    run: Run


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
    rerankers = loaded_rerankers(engine, settings, try_rerankers) if learn else []
    callers = callers_of(judged, caller)
    # nothing less shows what a reranker that is on made of all it has seen
    limit = rerank_depth(settings) if parameters.reranker != "none" else None
    run = search_questions(engine, judged, callers, limit, k, progress)
    _require_evidence(run)
    if learn:
        source = {"by": "command", "dataset": dataset}
        lesson = Lesson(source, rerankers=rerankers, balance=balance)
        train = judged.filter(pl.col("half") == "train")
        parameters, run = learn_parameters(
            engine, run, train, parameters, lesson, settings, progress
        )
        reported = run.half("report")
    else:
        if parameters.reranker != "none":
            run = replace(run, rerank_scores=scores_of_hits(run.retrievals))
        reported = run
    if parameters.abstention and not all(reported.answerable().values()):
        reported = reported.judged(engine, parameters, settings.limit, progress)
    summary, rows = report(reported, parameters, learned=learn)
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
    return Evaluation(everything, parameters, rows, reported)


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


def _require_evidence(run: Run) -> None:
    if not run.relevant(resolved=True):
        raise TooFewQuestions(
            "The release holds the evidence of none of the questions.",
            "Check that the set belongs to the ingested sources (--source).",
        )
