"""Learning all parameters of a release from one run: fusion first, then a reranker, then abstention."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import polars as pl

from evals.retrieval_evaluation.retrieve import Progress
from evals.retrieval_evaluation.run import Run, TooFewQuestions
from rag_assets.platform.settings import QuerySettings
from rag_assets.platform.wording import counted
from rag_assets.query.engine import QueryEngine
from rag_assets.query.parameters import QueryParameters
from rag_assets.query.rerankers.base import Reranker
from rag_assets.query.rerankers.registry import make_reranker

from .answerability import enough_of_each, learn_abstention
from .fusion import learn_fusion
from .reranking import LearnedReranker, learn_reranker, rerank_depth

# fewer judged questions do not make a weight
MIN_TO_LEARN = 20


@dataclass(frozen=True)
class Lesson:
    """What is to be learned, and from what.

    Attributes:
        source: facts about the questions, kept with what was learned: by, dataset, ….
        rerankers: of which the best is taken if it proves itself; empty: the present one stays.
        balance: see ``answerability.learn_abstention``.
        incumbent: see ``fusion.learn_fusion``.
    """

    source: Mapping[str, Any]
    rerankers: Sequence[Reranker] = field(default=())
    balance: float | None = None
    incumbent: float | None = None


def learn_parameters(
    engine: QueryEngine,
    run: Run,
    train: pl.DataFrame,
    present: QueryParameters,
    lesson: Lesson,
    settings: QuerySettings,
    progress: Progress,
) -> tuple[QueryParameters, Run]:
    """Learn how to search from some questions of a run.

    Args:
        run: of these questions and any others, searched by the engine.
        train: rows of ``run.questions`` that are learned from, and not reported.
        present: what the engine searches with.
        settings: the engine's own.

    Returns:
        what was learned, and the whole run as it is with that.

    Raises:
        TooFewQuestions: the evidence of too few of them is in the release.
        RerankerError: a reranker failed.
    """
    relevant = run.of(train).relevant(resolved=True)
    if len(relevant) < MIN_TO_LEARN:
        raise TooFewQuestions(
            f"The evidence of only {counted(len(relevant), 'question')} to learn from is in the release; at "
            f"least {MIN_TO_LEARN} are needed.",
            "Check that the set belongs to the ingested sources (--source).",
        )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    learned_from = {**lesson.source, "questions": len(relevant), "at": now}
    parameters = replace(present, abstention=None, learned_from=learned_from)
    parameters = _with_fusion(run, parameters, relevant, lesson.incumbent)
    run = run.fused(parameters)
    if lesson.rerankers:
        parameters, run = _with_reranker(run, parameters, relevant, lesson, settings, progress)
    elif parameters.reranker != "none":
        # other hits come first by now: what it said about the former ones does not help
        reranker = loaded_rerankers(engine, settings, [parameters.reranker])[0]
        run = run.scored(reranker, rerank_depth(settings), progress)
    labels = run.of(train).answerable()
    if enough_of_each(labels):
        run = replace(
            run.of(train).judged(engine, parameters, settings.limit, progress),
            questions=run.questions,
        )
        model = learn_abstention(run.features, labels, lesson.balance)
        parameters = replace(parameters, abstention=model)
    return parameters, run


def loaded_rerankers(
    engine: QueryEngine, settings: QuerySettings, names: Sequence[str]
) -> list[Reranker]:
    """Rerankers as the engine makes them, each once, loaded: what is missing is said at once."""
    rerankers = [make_reranker(name, settings, engine.encoder) for name in dict.fromkeys(names)]
    for reranker in rerankers:
        reranker.warm_up()
    return rerankers


def _with_fusion(
    run: Run,
    present: QueryParameters,
    relevant: Mapping[str, Mapping[str, int]],
    incumbent: float | None,
) -> QueryParameters:
    candidates = {item: run.retrievals[item].candidates for item in relevant}
    learned = learn_fusion(candidates, relevant, run.k, incumbent)
    facts = {"metric": f"ndcg@{run.k}", "value": round(learned.value, 4)}
    return replace(
        present,
        fusion="weighted",
        fusion_weight=learned.weight,
        learned_from={**present.learned_from, **facts},
    )


def _with_reranker(
    run: Run,
    fused: QueryParameters,
    relevant: Mapping[str, Mapping[str, int]],
    lesson: Lesson,
    settings: QuerySettings,
    progress: Progress,
) -> tuple[QueryParameters, Run]:
    """The parameters with the reranker that proved itself, or none, and its scores."""
    depth = rerank_depth(settings)
    without = run.rankings(list(relevant), fused.fusion, fused.fusion_weight)
    learned = learn_reranker(
        run.retrievals, relevant, without, lesson.rerankers, depth, run.k, progress
    )
    facts = _facts(fused.learned_from, learned, depth)
    parameters = replace(fused, reranker="none", learned_from=facts)
    if learned.chosen is None:
        return parameters, run
    name, weight = learned.chosen.reranker, learned.chosen.weight
    chosen = next(reranker for reranker in lesson.rerankers if reranker.name == name)
    run = replace(run, rerank_scores=learned.scores).scored(chosen, depth, progress)
    return replace(parameters, reranker=name, rerank_weight=weight), run


def _facts(fusion: Mapping[str, Any], learned: LearnedReranker, depth: int) -> dict[str, Any]:
    """Where the fusion comes from, and which rerankers were tried with what result."""
    value = learned.chosen.value if learned.chosen else learned.without
    reranking = {
        "candidates": depth,
        "without": round(learned.without, 4),
        "tried": [trial.to_dict() for trial in learned.trials],
    }
    return {**fusion, "value": round(value, 4), "reranking": reranking}
