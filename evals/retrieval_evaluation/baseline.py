"""What the live release finds for the questions that a candidate is asked."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import polars as pl

from evals.evaluations import Evaluations
from rag_assets.platform.errors import ConfigurationError, EncoderError, IndexUnavailable
from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.query.parameters import QueryParameters
from rag_assets.releases.registry import Candidate, Release

from .learning.reranking import rerank_depth, scores_of_hits
from .measure import FOUND, measure
from .results import read_results
from .retrieve import Progress
from .run import NEUTRAL, Run, search_questions
from .sample import by_known_item, key, plain


@dataclass(frozen=True)
class Baseline:
    """The live release's side of a comparison.

    Attributes:
        release_id: None where there is nothing to compare with.
        origin: ``asked`` now, or ``stored`` when it was evaluated; None without a baseline.
        why: for people.
        rows: ``FOUND`` of the questions that are known, question_id as the candidate's.
    """

    release_id: int | None
    origin: Literal["asked", "stored"] | None
    why: str
    rows: pl.DataFrame

    def of(self, dataset: str) -> "Baseline":
        """The same of one set, with the ids that it gives its questions itself."""
        mine = self.rows.filter(pl.col("question_id").str.starts_with(key(dataset, "")))
        return replace(self, rows=mine.with_columns(plain(dataset)))


def find_baseline(
    platform: Platform,
    candidate: Candidate,
    questions: pl.DataFrame,
    callers: dict[str, Caller],
    open_engine: Callable[[int], QueryEngine],
    progress: Progress,
) -> Baseline:
    """Ask the live release the same questions, with its own parameters.

    It is asked with the encoder that made it. Where that cannot be had any more, or its files are
    gone, what its last evaluations found for the same questions takes the place.

    Args:
        questions: as of ``sample_questions``.
        callers: question → who asks it.
        open_engine: release → an engine pinned to it.

    Raises:
        RerankerError: its reranker failed.
    """
    live = candidate.live
    if live is None:
        return Baseline(None, None, "nothing has been released before", FOUND.to_frame())
    if candidate.unchanged:
        why = f"release {live.id} is the live one itself"
        return Baseline(None, None, why, FOUND.to_frame())
    try:
        engine = open_engine(live.id)
    except (ConfigurationError, EncoderError, IndexUnavailable) as error:
        return _stored(platform, live, questions, error.message)

    def show(doing: str, done: int, total: int) -> None:
        progress(f"{doing} (live release)", done, total)

    abstain = platform.settings.query.abstain
    runs = asked(platform, engine, questions, callers, show)
    rows = pl.concat([measure(run, used, abstain=abstain) for run, used in runs])
    return Baseline(live.id, "asked", f"release {live.id} was asked the same", rows)


def asked(
    platform: Platform,
    engine: QueryEngine,
    questions: pl.DataFrame,
    callers: dict[str, Caller],
    progress: Progress,
) -> list[tuple[Run, QueryParameters]]:
    """What a release found for people's questions and for known items, with what counts for each.

    Known items are searched as if nothing were learned.

    Args:
        platform: the deployment.
        engine: of the release.
        questions: ``RESOLVED_QUESTIONS``.
        callers: who asks, by question.
        progress: told how far it has come.
    """
    settings, parameters = platform.settings.query, engine.parameters
    reranking = parameters.reranker != "none"
    limit = rerank_depth(settings) if reranking else None
    k = platform.settings.evaluation.k
    run = search_questions(engine, questions, callers, limit, k, progress)
    if reranking:
        run = replace(run, rerank_scores=scores_of_hits(run.retrievals))
    known, golden = (run.of(some) for some in by_known_item(run.questions))
    if parameters.abstention:
        golden = golden.judged(engine, parameters, settings.limit, progress)
    return [(golden, parameters), (known.neutral(), NEUTRAL)]


def _stored(platform: Platform, live: Release, questions: pl.DataFrame, why: str) -> Baseline:
    """What the last evaluations of a release found for the questions as they are now."""
    sides = [FOUND.to_frame()]
    for evaluation in Evaluations(platform.database).of_release(live.id, "retrieval"):
        rows = read_results(platform, evaluation).unique("question_sha256", keep="first")
        keys = questions.filter(pl.col("dataset") == evaluation.dataset)
        sides.append(
            keys.select("question_id", "question_sha256")
            .join(rows.drop("question_id"), on="question_sha256")
            .select(FOUND.names())
        )
    found = pl.concat(sides)
    if found.is_empty():
        return Baseline(None, None, f"{why} It was not evaluated before.", found)
    return Baseline(live.id, "stored", f"{why} Its last evaluation stands in.", found)
