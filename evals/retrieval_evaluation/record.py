"""Keeping what ``ragline evaluate`` measured, where the dashboard finds it."""

import polars as pl

from evals.evaluations import Evaluation as Record
from evals.golden_questions.collect import question_hashes
from evals.golden_questions.schema import RESOLVED_QUESTIONS
from rag_assets.platform.errors import RaglineError
from rag_assets.platform.fingerprint import fingerprint
from rag_assets.platform.platform import Platform
from rag_assets.releases.registry import Registry

from .baseline import Baseline
from .evaluate import Evaluation
from .measure import FOUND
from .results import result_rows, store
from .summary import summarize, without_nan


class NotRecorded(RaglineError):
    """An evaluation cannot be kept."""


def record_evaluation(platform: Platform, found: Evaluation, run_id: str = "") -> Record:
    """Store one evaluation of one release: rows first, then the record.

    It is compared with nothing: a person may have asked any release any questions.

    Raises:
        NotRecorded: the release is a candidate, on whose recorded evaluations its promotion depends.
    """
    summary = found.summary
    require_no_candidate(platform, int(summary["release"]["id"]))
    dataset, k = summary["dataset"], found.run.k
    run = found.run.of(_resolved(found.run.questions, dataset))
    rows = result_rows(run, found.parameters, abstain=platform.settings.query.abstain)
    nothing = Baseline(None, None, "asked by a person", FOUND.to_frame())
    record = Record(
        kind="retrieval",
        dataset=dataset,
        release_id=int(summary["release"]["id"]),
        questions_version=fingerprint(sorted(rows["question_sha256"])),
        run_id=run_id,
        summary=without_nan(
            summarize(rows, summary, nothing, k, platform.settings.gates.confidence)
        ),
    )
    store(platform, [(record, rows)])
    return record


def require_no_candidate(platform: Platform, release_id: int) -> None:
    """Refuse to add to the evaluations by which the gates judge a candidate.

    Raises:
        NotRecorded: the release is a candidate.
    """
    release = Registry(platform.database).get(release_id)
    if release is not None and release.status == "candidate":
        raise NotRecorded(
            f"Release {release_id} is a candidate: its gates go by what retrieval_evaluation records.",
            "Evaluate it without --record, or when it has been promoted.",
        )


def _resolved(questions: pl.DataFrame, dataset: str) -> pl.DataFrame:
    """Questions of a file with the columns of ``RESOLVED_QUESTIONS``; the release says the rest."""
    return questions.with_columns(
        dataset=pl.lit(dataset),
        gate=pl.lit(False),
        evidence=pl.lit(None, pl.String),
        evidence_note=pl.lit(""),
        question_sha256=question_hashes(questions),
    ).select(RESOLVED_QUESTIONS.names())
