"""Retrieval evaluation of a candidate release beside the live one, on every question set."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from evals.evaluations import Evaluation, Evaluations
from evals.golden_questions.collect import questions_version
from evals.golden_questions.schema import KNOWN_ITEMS
from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.query.parameters import QueryParameters
from rag_assets.query.pinned import without_groups
from rag_assets.query.retrieval.retrieve import effective
from rag_assets.releases.registry import Candidate, Registry

from .baseline import Baseline, find_baseline
from .learning.decide import EVALUATION, Teaching, decide, find_teaching, taught_by
from .learning.parameters import Lesson, learn_parameters, loaded_rerankers
from .learning.reranking import rerank_depth, scores_of_hits
from .report import report
from .results import result_rows
from .retrieve import Progress, callers_of, measure_latency
from .run import NEUTRAL, Run, TooFewQuestions, search_questions
from .sample import by_known_item, plain, sample_questions
from .summary import summarize, without_nan


@dataclass(frozen=True)
class _Work:
    """What every step of an evaluation needs to know."""

    platform: Platform
    candidate: Candidate
    run_id: str
    open_engine: Callable[[int], QueryEngine]
    progress: Progress


@dataclass(frozen=True)
class _Searched:
    """A candidate, searched with the parameters that it has; ``why`` it has these, for people."""

    engine: QueryEngine
    run: Run
    parameters: QueryParameters
    callers: dict[str, Caller]
    why: str


def evaluate_candidate(
    platform: Platform,
    candidate: Candidate,
    questions: pl.DataFrame,
    *,
    run_id: str,
    open_engine: Callable[[int], QueryEngine],
    progress: Progress = lambda doing, done, total: None,
) -> list[tuple[Evaluation, pl.DataFrame]]:
    """Measure a candidate on every question set, beside the live release.

    Where it is due, parameters are learned for the candidate and stored with it. A set that
    parameters in use were learned from is reported on the other half of its questions only.

    Args:
        questions: ``RESOLVED_QUESTIONS``.
        run_id: the Dagster run.
        open_engine: release → an engine pinned to it; candidates included.

    Returns:
        for every set with questions to report: its evaluation, not recorded yet, and
        ``RETRIEVAL_RESULTS``. Nothing where the live release is what would be evaluated and its
        questions are those of its last evaluation.

    Raises:
        IndexUnavailable: the candidate cannot be read.
        RerankerError: a reranker failed.
    """
    work = _Work(platform, candidate, run_id, open_engine, progress)
    versions = {name: questions_version(some) for name, some in _sets(questions)}
    asked = sample_questions(questions, platform.settings.evaluation.max_questions)
    if asked.is_empty() or not _due(work, versions):
        return []
    searched = _search(work, asked)
    if searched.run.questions.is_empty():
        return []
    baseline = find_baseline(
        platform, candidate, searched.run.questions, searched.callers, open_engine, progress
    )
    return [
        _evaluation(work, searched, baseline, name, versions[name])
        for name, _ in _sets(searched.run.questions)
    ]


def _sets(questions: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    groups = questions.group_by("dataset", maintain_order=True)
    return sorted(((str(name), some) for (name,), some in groups), key=lambda pair: pair[0])


def _due(work: _Work, versions: dict[str, str]) -> bool:
    """Whether there is anything that the last evaluation of this release does not say."""
    if not work.candidate.unchanged:
        return True
    records = Evaluations(work.platform.database)
    last = records.of_release(work.candidate.release.id, "retrieval")
    known = {item.dataset: item.questions_version for item in last}
    return any(known.get(name) != version for name, version in versions.items())


def _search(work: _Work, asked: pl.DataFrame) -> _Searched:
    """Ask the candidate, and decide or learn what it is to be searched with.

    The run that comes back is of the questions to report.
    """
    platform, release = work.platform, work.candidate.release
    settings = platform.settings
    teaching = find_teaching(asked, questions_version)
    decision = decide(work.candidate, teaching, settings)
    if decision.choice == "live" and decision.parameters:
        Registry(platform.database).set_parameters(release.id, decision.parameters)
    learning = decision.choice == "learn"
    live = work.candidate.live.parameters if work.candidate.live else None
    seen = taught_by(decision.parameters, asked) | taught_by(live, asked)
    seen |= set(teaching.datasets) if learning else set()
    unseen = ~(pl.col("dataset").is_in(sorted(seen)) & (pl.col("half") == "train"))
    taught = pl.col("question_id").is_in(teaching.questions["question_id"].implode())
    wanted = asked.filter(unseen | taught) if learning else asked.filter(unseen)
    callers = callers_of(asked, without_groups(platform))
    engine = work.open_engine(release.id)
    parameters = engine.parameters
    # nothing less shows what a reranker that is on made of all it has seen
    limit = rerank_depth(settings.query) if parameters.reranker != "none" else None
    k = settings.evaluation.k
    run = search_questions(engine, wanted, callers, limit, k, work.progress)
    why = decision.why
    if learning:
        engine, run, parameters, why = _learn(work, engine, run, teaching)
    elif parameters.reranker != "none":
        run = replace(run, rerank_scores=scores_of_hits(run.retrievals))
    run = run.of(run.questions.filter(unseen))
    if parameters.abstention:
        _, golden = by_known_item(run.questions)
        judged = run.of(golden).judged(engine, parameters, settings.query.limit, work.progress)
        run = judged.of(run.questions)
    return _Searched(engine, run, parameters, callers, why)


def _learn(
    work: _Work, engine: QueryEngine, run: Run, teaching: Teaching
) -> tuple[QueryEngine, Run, QueryParameters, str]:
    """Learn parameters and store them with the candidate; the defaults where it cannot be done."""
    settings, release = work.platform.settings, work.candidate.release
    query, evaluation = settings.query, settings.evaluation
    tried = evaluation.rerankers if query.reranker == "learned" else []
    lesson = Lesson(
        {
            "by": EVALUATION,
            "dataset": ", ".join(teaching.datasets),
            "datasets": list(teaching.datasets),
            "questions_version": teaching.version,
        },
        rerankers=loaded_rerankers(engine, query, tried),
        balance=evaluation.balance,
        incumbent=_incumbent(work.candidate),
    )
    present = engine.parameters
    try:
        learned, run = learn_parameters(
            engine, run, teaching.questions, present, lesson, query, work.progress
        )
    except TooFewQuestions as error:
        if present.reranker != "none":
            run = replace(run, rerank_scores=scores_of_hits(run.retrievals))
        return engine, run, present, f"defaults: {error.message}"
    Registry(work.platform.database).set_parameters(release.id, learned.to_dict())
    # an open engine looks for new parameters only now and then, and its searches are timed next
    return work.open_engine(release.id), run, effective(learned, query), teaching.why


def _incumbent(candidate: Candidate) -> float | None:
    """The weight that the live release learned, if it did."""
    learned = candidate.live.parameters if candidate.live else None
    if not learned or learned.get("fusion") != "weighted":
        return None
    return float(learned["fusion_weight"])


def _evaluation(
    work: _Work, searched: _Searched, baseline: Baseline, dataset: str, version: str
) -> tuple[Evaluation, pl.DataFrame]:
    """The evaluation of one set, and its rows."""
    asked = searched.run.questions.filter(pl.col("dataset") == dataset)
    names = dict(asked.select("question_id", plain(dataset).alias("name")).rows())
    run, baseline = searched.run.renamed(names), baseline.of(dataset)
    if dataset == KNOWN_ITEMS:
        searched = replace(searched, parameters=NEUTRAL, why="known items need none")
        run = run.neutral()
    abstain = work.platform.settings.query.abstain
    rows = result_rows(run, searched.parameters, baseline.rows, abstain=abstain)
    summary = _summary(work.platform, run, searched, baseline, rows)
    latency = measure_latency(searched.engine, asked, searched.callers, run.k, work.progress)
    evaluation = Evaluation(
        kind="retrieval",
        dataset=dataset,
        release_id=work.candidate.release.id,
        baseline_release_id=baseline.release_id,
        questions_version=version,
        run_id=work.run_id,
        summary=without_nan({"dataset": dataset, **summary, "latency_ms": latency}),
    )
    return evaluation, rows


def _summary(
    platform: Platform, run: Run, searched: _Searched, baseline: Baseline, rows: pl.DataFrame
) -> dict[str, Any]:
    parameters = searched.parameters
    measured, _ = report(run, parameters, learned=False)
    return {
        **summarize(rows, measured, baseline, run.k, platform.settings.gates.confidence),
        "parameters": parameters.to_dict(),
        "parameters_why": searched.why,
        "learned_from": parameters.learned_from,
        "gate": bool(run.questions["gate"].any()),
        "asked": run.questions.height,
        "release": searched.engine.release_info(),
        "split": dict(run.questions.group_by("half").len().sort("half").rows()),
        "groups": sorted({group for who in searched.callers.values() for group in who.groups}),
    }
