"""How faithful a day's real answers were: judged by an LLM where there is one, and by their support.

Only what needs no reference answer can be asked about them. Judgements that failed stay in the
table with their reason; so do answers whose passages are gone. Both are missing coverage.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import polars as pl

from evals.judges.base import Sample
from evals.judges.schema import JUDGEMENTS
from evals.retrieval_evaluation.retrieve import Progress
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import JudgeSettings
from rag_assets.platform.wording import counted
from rag_assets.query.log import AnswerRecord

from .contexts import ContextReader
from .query_log import support_of
from .schema import LIVE_JUDGEMENTS

# metrics of both libraries that need no reference answer and say whether an answer is made up
LIVE_METRICS = (
    "ragas.faithfulness",
    "ragas.answer_relevancy",
    "deepeval.faithfulness",
    "deepeval.answer_relevancy",
    "deepeval.hallucination",
)
SUPPORT = "ragline.support"
NO_JUDGE = "none"
SPENT = ("calls", "prompt_tokens", "completion_tokens", "cost_usd")
LEFT = "no longer in the day's sample; kept for what it cost"

# the rows are JUDGEMENTS; see ``evals.judges.judging.judge_samples``
Judge = Callable[[Platform, Sequence[Sample], Sequence[str], Progress], pl.DataFrame]


@dataclass(frozen=True)
class JudgedDay:
    """What became of a day's sample.

    Attributes:
        rows: ``LIVE_JUDGEMENTS``.
        sampled: answers in the sample.
        unreadable: of these, answers whose passages could not be read again, by reason.
        without_texts: of these, answers of which the log kept no texts.
        cached: judgements that were taken from an earlier run.
    """

    rows: pl.DataFrame
    sampled: int
    unreadable: dict[str, int]
    without_texts: int
    cached: int


def live_metrics(judge: JudgeSettings) -> list[str]:
    """The metrics that real answers are judged by; none without a judge."""
    if not judge.base_url:
        return []
    return [name for name in LIVE_METRICS if any(fnmatchcase(name, p) for p in judge.metrics)]


def judge_day(
    platform: Platform,
    sample: Sequence[AnswerRecord],
    previous: pl.DataFrame,
    judge: Judge,
    progress: Progress = lambda name, done, total: None,
) -> JudgedDay:
    """Judge a day's sample.

    Args:
        platform: settings, database and the place of the index.
        sample: the answers, see ``sampled``.
        previous: what was judged of this day before (``LIVE_JUDGEMENTS``).
        judge: ``judge_with_llm``.
        progress: told how far it is.
    """
    metrics = live_metrics(platform.settings.judge)
    samples, failed, unreadable = _samples(platform, sample, metrics)
    judged = JUDGEMENTS.to_frame()
    if metrics and samples:
        judged = judge(platform, samples, metrics, progress)
    releases = {record.answer_id: record.release_id for record in sample}
    rows = pl.concat(
        [_live_rows(judged, releases), _frame(failed), _frame([_support(item) for item in sample])]
    )
    return JudgedDay(
        rows=with_previous_cost(rows, previous).sort("answer_id", "metric"),
        sampled=len(sample),
        unreadable=unreadable,
        without_texts=sum(item.question is None or item.answer is None for item in sample),
        cached=int(judged["cached"].sum()),
    )


def judge_with_llm(
    platform: Platform, samples: Sequence[Sample], metrics: Sequence[str], progress: Progress
) -> pl.DataFrame:
    """Judge by the LLM that the settings name; the rows are ``JUDGEMENTS``."""
    from evals.judges.judging import judge_samples

    return judge_samples(platform, samples, progress=progress, metrics=metrics)


def with_previous_cost(rows: pl.DataFrame, previous: pl.DataFrame) -> pl.DataFrame:
    """The rows with what was spent on them before, which a repetition takes from the cache.

    A judgement that failed and is tried again costs again, so that costs add up. An answer that has
    left the sample, because the day has grown, keeps a row for what it cost.
    """
    key = ["answer_id", "metric"]
    spent = previous.filter(pl.sum_horizontal("calls", "cost_usd") > 0)
    kept = rows.join(spent.select(*key, "judge", *SPENT), on=key, how="left", suffix="_before")
    added = kept.with_columns(
        # nobody judges a row whose passages are gone; somebody was paid for it all the same
        judge=pl.when(judge=NO_JUDGE)
        .then(pl.coalesce("judge_before", "judge"))
        .otherwise(pl.col("judge")),
        **{name: pl.col(name) + pl.col(f"{name}_before").fill_null(0) for name in SPENT},
    )
    left = spent.join(rows, on=key, how="anti").with_columns(
        status=pl.lit("not_applicable"),
        score=pl.lit(None, dtype=pl.Float64),
        reason=pl.lit(LEFT),
    )
    return pl.concat([added.select(LIVE_JUDGEMENTS.names()), left])


def _samples(
    platform: Platform, sample: Sequence[AnswerRecord], metrics: Sequence[str]
) -> tuple[list[Sample], list[dict[str, object]], dict[str, int]]:
    """What can be judged, the rows of what cannot, and how often for which reason."""
    samples: list[Sample] = []
    failed: list[dict[str, object]] = []
    unreadable: dict[str, int] = {}
    reader = ContextReader(platform)
    for record in sample if metrics else ():
        if record.question is None or record.answer is None:
            reason = "the query log kept no texts of this answer"
            failed += [_row(record, name, "not_applicable", reason) for name in metrics]
            continue
        contexts = reader.read(record)
        if contexts.missing:
            unreadable[contexts.missing] = unreadable.get(contexts.missing, 0) + 1
            failed += [_row(record, name, "error", contexts.missing) for name in metrics]
            continue
        samples.append(
            Sample(
                sample_id=record.answer_id,
                question=record.question,
                answer=record.answer,
                contexts=contexts.texts,
                documents=contexts.documents,
            )
        )
    return samples, failed, unreadable


def _support(record: AnswerRecord) -> dict[str, object]:
    score = support_of(record)
    if score is None:
        return _row(record, SUPPORT, "not_applicable", "no sentence of the answer was scored")
    return _row(record, SUPPORT, "ok", counted(len(record.support), "sentence"), score)


def _row(
    record: AnswerRecord, metric: str, status: str, reason: str, score: float | None = None
) -> dict[str, object]:
    return {
        "answer_id": record.answer_id,
        "metric": metric,
        "version": "1" if metric == SUPPORT else "",
        "judge": NO_JUDGE,
        "status": status,
        "score": score,
        "reason": reason,
        **dict.fromkeys(SPENT, 0),
        "release_id": record.release_id,
    }


def _live_rows(judged: pl.DataFrame, releases: dict[str, int]) -> pl.DataFrame:
    """Judgements as rows of a day; what came from the cache costs nothing now."""
    ids = pl.col("sample_id")
    return judged.with_columns(
        answer_id=ids,
        release_id=ids.replace_strict(releases, return_dtype=pl.Int64) if len(releases) else ids,
        **{name: pl.when("cached").then(0).otherwise(pl.col(name)) for name in SPENT},
    ).select(pl.col(name).cast(kind) for name, kind in LIVE_JUDGEMENTS.items())


def _frame(rows: Sequence[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=LIVE_JUDGEMENTS)
