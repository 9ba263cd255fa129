"""Asking both releases the same questions, where no evaluation has measured them together."""

from collections.abc import Callable, Sequence

import polars as pl

from evals.retrieval_evaluation.baseline import asked
from evals.retrieval_evaluation.measure import measure
from evals.retrieval_evaluation.results import result_rows
from evals.retrieval_evaluation.retrieve import Progress, callers_of
from evals.retrieval_evaluation.run import Run
from evals.retrieval_evaluation.sample import plain, sample_questions
from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.query.parameters import QueryParameters
from rag_assets.query.pinned import without_groups

from .pairs import Pairs

OpenEngine = Callable[[int], QueryEngine]


def ask_both(
    platform: Platform,
    before: int,
    after: int,
    questions: pl.DataFrame,
    open_engine: OpenEngine,
    progress: Progress,
) -> list[Pairs]:
    """Search both releases for the questions, each with its own parameters.

    At most ``evaluation.max_questions`` of every set are asked, those that are always asked.

    Args:
        before, after: release ids.
        questions: ``RESOLVED_QUESTIONS`` of the sets that are wanted.
        open_engine: release → an engine pinned to it.

    Returns:
        a pair for each set that has judged questions, by name.

    Raises:
        ConfigurationError, IndexUnavailable, NoRelease: a release cannot be asked.
        RerankerError: its reranker failed.
    """
    asked = sample_questions(questions, platform.settings.evaluation.max_questions)
    if asked.is_empty():
        return []
    callers = callers_of(asked, without_groups(platform))
    old, new = (
        _searched(platform, open_engine(release), asked, callers, release, progress)
        for release in (before, after)
    )
    abstain = platform.settings.query.abstain
    found = pl.concat([measure(run, parameters, abstain=abstain) for run, parameters in old])
    rows = pl.concat(
        [result_rows(run, parameters, found, abstain=abstain) for run, parameters in new]
    )
    k = platform.settings.evaluation.k
    datasets = asked.select("question_id", "dataset")
    return [
        Pairs(str(name), k, _plain(rows, some["question_id"], str(name)), "asked")
        for (name,), some in sorted(datasets.group_by("dataset"), key=lambda item: str(item[0][0]))
    ]


def _plain(rows: pl.DataFrame, ids: pl.Series, dataset: str) -> pl.DataFrame:
    """The rows of one set, under the ids that it gives its questions itself."""
    return rows.filter(pl.col("question_id").is_in(ids.implode())).with_columns(plain(dataset))


def _searched(
    platform: Platform,
    engine: QueryEngine,
    questions: pl.DataFrame,
    callers: dict[str, Caller],
    release: int,
    progress: Progress,
) -> Sequence[tuple[Run, QueryParameters]]:
    def show(doing: str, done: int, total: int) -> None:
        progress(f"{doing} (release {release})", done, total)

    return asked(platform, engine, questions, callers, show)
