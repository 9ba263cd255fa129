"""The gate of retrieval: does the candidate find what the live release finds?"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from evals.evaluations import Evaluation
from evals.golden_questions.collect import questions_version
from rag_assets.platform.settings import GateSettings
from rag_assets.platform.wording import counted
from rag_assets.releases.gates import Gate, not_judged

from .margins import MarginTest, explain, numbers, run_tests
from .report import measured_table, retrieval_report, tags_of

NAME = "retrieval_quality"
FIRST_RELEASE = "first release: nothing to compare with"


class Evaluated(NamedTuple):
    """An evaluation of the candidate, ``RETRIEVAL_RESULTS`` or ``ANSWER_RESULTS`` beside it."""

    evaluation: Evaluation
    rows: pl.DataFrame


def retrieval_quality(
    found: Sequence[Evaluated],
    questions: pl.DataFrame,
    *,
    live: int | None,
    settings: GateSettings,
    k: int,
) -> Gate:
    """Judge a candidate by its retrieval evaluations, one for each question set.

    It blocks when a metric of a set that gates is worse than the live release's by more than
    ``gates.retrieval_margin`` and by more than chance: the paired bootstrap interval of the
    difference, at ``gates.confidence`` corrected for the number of tests, ends below 0.

    Args:
        found: the newest evaluation of the candidate for every set.
        questions: ``RESOLVED_QUESTIONS``; they say what gates.
        live: id of the release that is live now.
        settings: margin and confidence.
        k: cutoff of the metrics.
    """
    gating = questions.filter("gate", pl.col("answerable").is_not_null())
    if gating.is_empty():
        return not_judged(
            NAME,
            "there are no questions; name a set in evaluation.sets"
            if questions.is_empty()
            else "no judged question gates (evaluation.sets.<name>.gate)",
        )
    problem = stale(found, questions, required(gating)) or _other_baseline(found, gating, live)
    if problem:
        return Gate(NAME, False, problem)
    results = {item.evaluation.dataset: gated_rows(item, gating) for item in found}
    metrics = {"ndcg": f"ndcg@{k}", "evidence_recall": f"evidence_recall@{k}"}
    if live is None:
        return first_release(NAME, results, metrics)
    tests = run_tests(
        results, metrics, margin=settings.retrieval_margin, confidence=settings.confidence
    )
    if not tests:
        return not_judged(
            NAME, f"no question can be compared with release {live}{_no_baseline(found)}"
        )
    tags = _by_tag(results, metrics, settings)
    passed = not any(test.failed for test in tests)
    metadata = {**numbers(tests), "questions_worse": _changed(tests, "worse")}
    metadata["questions_better"] = _changed(tests, "better")
    return Gate(NAME, passed, explain(tests), metadata, report=retrieval_report(tests, tags))


def required(gating: pl.DataFrame) -> list[str]:
    """The sets that must have been evaluated.

    One may have nothing to report: where parameters were learned from the half of a set that all of
    its questions happen to be in.
    """
    reported = gating.filter(pl.col("half").ne_missing("train"))
    return sorted(reported["dataset"].unique().to_list())


def stale(
    found: Sequence[Evaluated],
    questions: pl.DataFrame,
    sets: Sequence[str],
    asset: str = "retrieval_evaluation",
) -> str:
    """Why some sets have no evaluation with the questions as they are now; "" when all have.

    Args:
        found: the evaluations of the candidate.
        questions: ``RESOLVED_QUESTIONS`` that an evaluation's version is of.
        sets: names of the sets that must have one.
    """
    versions = {item.evaluation.dataset: item.evaluation.questions_version for item in found}
    missing = [dataset for dataset in sets if dataset not in versions]
    if missing:
        return f"the candidate has not been evaluated with {', '.join(missing)}: materialize {asset} first"
    for dataset in sets:
        if versions[dataset] != questions_version(questions.filter(pl.col("dataset") == dataset)):
            return f"the questions of {dataset} were changed since: materialize {asset} first"
    return ""


def _other_baseline(found: Sequence[Evaluated], gating: pl.DataFrame, live: int | None) -> str:
    """Which set was compared with another release than the one that is live; "" when none was."""
    for evaluation in (
        item.evaluation for item in found if item.evaluation.dataset in gating["dataset"]
    ):
        before = evaluation.baseline_release_id
        if before is not None and before != live:
            now = "none" if live is None else f"release {live}"
            return (
                f"{evaluation.dataset} was compared with release {before}, and {now} is live: "
                "materialize retrieval_evaluation first"
            )
    return ""


def _no_baseline(found: Sequence[Evaluated]) -> str:
    """Why the live release could not be asked, as the evaluation says."""
    for item in found:
        why = (item.evaluation.summary.get("baseline") or {}).get("why")
        if why and item.evaluation.baseline_release_id is None:
            return f": {why}"
    return ""


def gated_rows(item: Evaluated, gating: pl.DataFrame) -> pl.DataFrame:
    """The rows of the questions that gate, as they are worded now."""
    mine = gating.filter(pl.col("dataset") == item.evaluation.dataset)
    return item.rows.join(mine, on="question_sha256", how="semi")


def first_release(
    name: str, results: Mapping[str, pl.DataFrame], metrics: Mapping[str, str]
) -> Gate:
    """It passes, with what was measured."""
    values = {}
    for dataset, rows in sorted(results.items()):
        for metric, label in metrics.items():
            measured = rows[metric].drop_nulls().cast(pl.Float64)
            if len(measured):
                values[dataset, label] = float(measured.mean()), len(measured)  # type: ignore[arg-type]
    metadata: dict[str, float] = {}
    for (dataset, label), (mean, questions) in values.items():
        metadata[f"{dataset} {label}"] = round(mean, 6)
        metadata[f"{dataset} {label} questions"] = questions
    shown = "; ".join(
        f"{dataset} {label} {mean:.3f} ({counted(questions, 'question')})"
        for (dataset, label), (mean, questions) in values.items()
    )
    text = f"{FIRST_RELEASE}; {shown}" if shown else FIRST_RELEASE
    return Gate(name, True, text, metadata, report=measured_table(values))


def _by_tag(
    results: Mapping[str, pl.DataFrame], metrics: Mapping[str, str], settings: GateSettings
) -> list[MarginTest]:
    """What an average may hide; few questions each, many tests: shown, not gated."""
    parts = {
        f"{dataset} / {tag}": rows.filter(pl.col("tags").list.contains(tag))
        for dataset, rows in results.items()
        for tag in tags_of(rows)
    }
    return run_tests(
        parts, metrics, margin=settings.retrieval_margin, confidence=settings.confidence
    )


def _changed(tests: Sequence[MarginTest], kind: str) -> int:
    """How many questions changed by any metric."""
    return len(
        {
            (test.dataset, question)
            for test in tests
            for question in getattr(test.comparison, kind)["question_id"]
        }
    )
