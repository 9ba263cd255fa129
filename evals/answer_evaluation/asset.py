"""The Dagster node ``answer_evaluation``."""

from typing import TYPE_CHECKING

import dagster as dg

from evals.evaluations import Evaluation
from rag_assets.platform.dagster_bridge import (
    DAILY,
    OWNERS,
    code_version,
    explained,
    freshness,
)
from rag_assets.platform.fingerprint import fingerprint
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.query.resource import RagQuery

from .metadata import NO_JUDGE, evaluation_metadata, judge_coverage

if TYPE_CHECKING:
    import polars as pl

NAME = "answer_evaluation"
VERSION = 1
NO_QUESTIONS = "there are no golden questions to answer: configure evaluation.sets"
NOTHING_JUDGED = "nothing was judged: every question was refused, or failed"


def answer_evaluation_asset(settings: Settings) -> dg.AssetsDefinition:
    """Build the asset for a deployment's settings."""
    judge = settings.judge

    @dg.asset(
        name=NAME,
        deps=["golden_questions", "retrieval_evaluation"],
        group_name="evaluation",
        pool="judge",
        kinds={"ragas", "deepeval"},
        owners=OWNERS,
        freshness_policy=freshness(settings, DAILY),
        code_version=code_version(
            VERSION,
            settings.evaluation.max_answers,
            settings.query.model_dump(),
            [judge.model, judge.metrics],
        ),
        check_specs=[
            dg.AssetCheckSpec(
                "judge_coverage",
                asset=NAME,
                description="Enough of the answers were judged for the judged scores to count.",
            )
        ],
    )
    def answer_evaluation(
        context: dg.AssetExecutionContext,
        platform: dg.ResourceParam[Platform],
        rag_query: RagQuery,
    ) -> dg.MaterializeResult:
        """How good the answers to the golden questions are, what they cost, how fast they come.

        The candidate is asked if there is one, else the live release, with the rights that each
        question names. Judged by ragas and deepeval where a judge is configured; citations, overlap
        with reference answers and abstention need none.
        """
        with explained(platform):
            found, rows = evaluate_and_store(platform, rag_query, context.run_id)
        return described(platform, found, rows)

    return answer_evaluation


def evaluate_and_store(
    platform: Platform, rag_query: RagQuery, run_id: str
) -> tuple[list[Evaluation], "dict[str, pl.DataFrame]"]:
    """Evaluate every gating golden set and store what came out, each set when it is done.

    Returns:
        the evaluations, and by dataset ``ANSWER_RESULTS``; none where there are no questions.

    Raises:
        NoRelease: there is neither a candidate nor a live release.
        IndexUnavailable: the release cannot be read.
    """
    from evals.golden_questions.collect import questions_version, read_golden_questions
    from rag_assets.platform.errors import NoRelease
    from rag_assets.query.pinned import without_groups
    from rag_assets.releases.registry import Registry

    from .evaluate import evaluate_answers
    from .results import store

    questions = gating(read_golden_questions(platform))
    if questions.is_empty():
        return [], {}
    registry = Registry(platform.database)
    live = registry.live()
    release = registry.candidate() or live
    if release is None:
        raise NoRelease(
            "There is no release to ask: nothing has been indexed yet.", "Run 'ragline ingest'."
        )
    engine = rag_query.pinned(release.id)
    found: list[Evaluation] = []
    rows: dict[str, pl.DataFrame] = {}
    for (name,), some in questions.group_by("dataset", maintain_order=True):
        outcome = evaluate_answers(platform, engine, some, without_groups(platform))
        evaluation = Evaluation(
            kind="answer",
            dataset=str(name),
            release_id=release.id,
            baseline_release_id=live.id if live and live.id != release.id else None,
            questions_version=questions_version(some),
            run_id=run_id,
            summary={"dataset": str(name), **outcome.summary},
        )
        store(platform, evaluation, outcome.rows, outcome.judgements)
        found.append(evaluation)
        rows[evaluation.dataset] = outcome.rows
    return found, rows


def gating(questions: "pl.DataFrame") -> "pl.DataFrame":
    """The questions that promotion may depend on and that people wrote.

    Known items ask for a document and have no answer; synthetic questions nobody has looked at.

    Args:
        questions: ``RESOLVED_QUESTIONS``.
    """
    import polars as pl

    return questions.filter(pl.col("gate"), ~pl.col("origin").is_in(["known_item", "synthetic"]))


def described(
    platform: Platform, found: list[Evaluation], rows: "dict[str, pl.DataFrame]"
) -> dg.MaterializeResult:
    """What the UI shows; without questions, that there are none."""
    check = judge_coverage(found, platform.settings.judge)
    if not found:
        return dg.MaterializeResult(
            metadata={"outcome": NO_QUESTIONS, "sets": 0}, check_results=[check]
        )
    judges = {item["judge"] for one in found for item in one.summary["judge"].values()}
    if platform.settings.judge.base_url:
        outcome = f"judged by {', '.join(sorted(judges))}" if judges else NOTHING_JUDGED
    else:
        outcome = NO_JUDGE
    version = fingerprint(
        [[item.dataset, item.release_id, item.questions_version] for item in found]
    )
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version[:32]),
        metadata={"outcome": outcome, **evaluation_metadata(found, rows)},
        check_results=[check],
    )
