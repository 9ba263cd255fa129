"""Evaluating the answers of one release on one question set."""

import hashlib
from dataclasses import dataclass
from typing import Any

import polars as pl

from evals.judges.base import Sample
from evals.judges.judging import judge_samples
from evals.retrieval_evaluation.retrieve import Progress, callers_of
from rag_assets.platform.errors import NoRelease
from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.releases.opening import open_release
from rag_assets.releases.registry import Registry
from rag_assets.vector_index.reader import IndexReader

from .answering import Asked, ask_all
from .schema import ANSWER_RESULTS
from .scoring import Evidence, score_answers
from .summary import summarize


@dataclass(frozen=True)
class AnswerEvaluation:
    """What came out.

    Attributes:
        rows: ``ANSWER_RESULTS``, one row per question that was asked.
        judgements: ``JUDGEMENTS``; ``sample_id`` is the question's. Empty without a judge.
        summary: the JSON form; see ``summary.summarize``.
    """

    rows: pl.DataFrame
    judgements: pl.DataFrame
    summary: dict[str, Any]


def evaluate_answers(
    platform: Platform,
    engine: QueryEngine,
    questions: pl.DataFrame,
    caller: Caller,
    *,
    progress: Progress = lambda doing, done, total: None,
) -> AnswerEvaluation:
    """Ask a question set, score the answers, and have them judged where a judge is configured.

    At most ``evaluation.max_answers`` questions are asked, see ``sampled``. Questions of which
    nobody said whether they can be answered are counted and left out.

    Args:
        platform: settings, registry and the place of the index.
        engine: pinned to one release, and silent in the query log; see ``query.pinned``.
        questions: ``GOLDEN_QUESTIONS`` or ``RESOLVED_QUESTIONS`` of one set.
        caller: asks the questions that name no groups.

    Raises:
        ReleaseChanged: a newer release went live meanwhile.
        NoRelease: the release is gone.
        IndexUnavailable: it cannot be read.
        EncoderError: answers and references cannot be compared.
        ConfigurationError: the judge's settings cannot be used.
    """
    judged = questions.filter(pl.col("answerable").is_not_null())
    chosen = sampled(judged, platform.settings.evaluation.max_answers)
    if chosen.is_empty():
        rows, asked = ANSWER_RESULTS.to_frame(), dict[str, Asked]()
    else:
        evidence = Evidence.read(chosen, _reader(platform, int(engine.release_info()["id"])))
        asked = ask_all(engine, chosen, callers_of(chosen, caller), progress)
        rows = score_answers(chosen, asked, evidence, engine.encoder, progress)
    judgements = judge_samples(platform, samples_of(rows, asked), progress=progress)
    summary = summarize(
        rows,
        judgements,
        of=judged.height,
        unjudged=questions.height - judged.height,
        min_coverage=platform.settings.judge.min_coverage,
    )
    return AnswerEvaluation(rows, judgements, summary)


def sampled(questions: pl.DataFrame, most: int) -> pl.DataFrame:
    """At most so many questions, in the order of the set.

    They are those whose ids have the smallest hashes: the same ones every time, and when questions
    come or go, only as many others change.
    """
    if questions.height <= most:
        return questions
    chosen = sorted(questions["question_id"], key=_rank)[:most]
    return questions.filter(pl.col("question_id").is_in(chosen))


def samples_of(rows: pl.DataFrame, asked: dict[str, Asked]) -> list[Sample]:
    """What a judge is asked about: the answers that claim something."""
    samples = []
    # a reference to what is not there any more may be wrong
    reference = pl.when(pl.col("evidence").is_in(["current", "none"])).then("reference")
    for question_id, question, right in rows.select("question_id", "question", reference).rows():
        found = asked[question_id]
        if found.answer is None or found.answer.abstained:
            continue
        documents = (part.document_id for passage in found.passages for part in passage.parts)
        samples.append(
            Sample(
                sample_id=question_id,
                question=question,
                answer=found.answer.answer,
                contexts=tuple(passage.text for passage in found.passages),
                reference=right,
                documents=tuple(dict.fromkeys(documents)),
            )
        )
    return samples


def _rank(question_id: str) -> tuple[str, str]:
    return hashlib.sha256(f"answers\n{question_id}".encode()).hexdigest(), question_id


def _reader(platform: Platform, release_id: int) -> IndexReader:
    release = Registry(platform.database).get(release_id)
    if release is None:
        raise NoRelease(f"There is no release {release_id}.", "See 'ragline releases list'.")
    return open_release(platform, release)
