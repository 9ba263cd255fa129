"""The gate of answers: are they as well supported, cited and right as those of the live release?"""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from rag_assets.platform.settings import GateSettings
from rag_assets.platform.wording import counted
from rag_assets.releases.gates import Gate, not_judged

from .margins import explain, numbers, run_tests
from .report import answer_report
from .retrieval_quality import Evaluated, first_release, gated_rows, stale

NAME = "answer_quality"
METRICS = {
    "support": "support",
    "citation_precision": "citation precision",
    "citation_recall": "citation recall",
    "token_f1": "token F1",
    "abstention": "abstention",
}
FAITHFULNESS = "ragas.faithfulness"
JUDGED = "faithfulness"
# questions that people wrote: the others have no answer worth comparing with
UNANSWERED_ORIGINS = ("known_item", "synthetic")


class Answered(NamedTuple):
    """One release's answers to a set: its evaluation with ``ANSWER_RESULTS`` and ``JUDGEMENTS``."""

    found: Evaluated
    judgements: pl.DataFrame


def answer_quality(
    candidate: Sequence[Answered],
    before: Sequence[Answered],
    questions: pl.DataFrame,
    *,
    live: int | None,
    settings: GateSettings,
    min_coverage: float,
) -> Gate:
    """Judge a candidate by the answers it gave, paired with those of the live release by question.

    It blocks by the rule of ``retrieval_quality``, with ``gates.answer_margin``. Judged faithfulness
    counts only when both were judged by the same judge and prompt, each for enough of its answers.

    Args:
        candidate, before: the newest answer evaluation of every set, of the candidate and of the
            live release.
        questions: ``RESOLVED_QUESTIONS``; they say what gates.
        live: id of the release that is live now.
        settings: margin and confidence; without ``gates.answers`` a regression is a warning.
        min_coverage: share of the answers that must be judged, or answered at all.
    """
    if not settings.answers and not candidate:
        return not_judged(NAME, "gates.answers is off")
    judged = pl.col("answerable").is_not_null().any().over("dataset")
    gating = questions.filter("gate", ~pl.col("origin").is_in(UNANSWERED_ORIGINS)).filter(judged)
    if gating.is_empty():
        return not_judged(NAME, "no question set with answers gates")
    severity = "error" if settings.answers else "warn"
    sets = sorted(gating["dataset"].unique().to_list())
    found = [item.found for item in candidate]
    problem = stale(found, gating, sets, "answer_evaluation") or _failed_answers(
        candidate, gating, min_coverage
    )
    if problem:
        return Gate(NAME, False, problem, severity=severity)  # type: ignore[arg-type]
    old = {item.found.evaluation.dataset: item for item in before}
    if not old:
        return _first(candidate, gating, live)
    results, notes = {}, []
    for item in candidate:
        dataset = item.found.evaluation.dataset
        if dataset in old:
            rows, note = pair(item, old[dataset], gating, min_coverage)
            results[dataset] = rows
            notes += [f"{dataset}: {note}"] if note else []
    metrics = {**METRICS, JUDGED: f"faithfulness ({FAITHFULNESS})"}
    tests = run_tests(
        results, metrics, margin=settings.answer_margin, confidence=settings.confidence
    )
    if not tests:
        return not_judged(NAME, f"no answer can be compared with release {live}")
    passed = not any(test.failed for test in tests)
    text = "; ".join([explain(tests), *notes])
    report = answer_report(tests, notes)
    return Gate(NAME, passed, text, numbers(tests), severity, report=report)  # type: ignore[arg-type]


def _first(candidate: Sequence[Answered], gating: pl.DataFrame, live: int | None) -> Gate:
    rows = {item.found.evaluation.dataset: gated_rows(item.found, gating) for item in candidate}
    gate = first_release(NAME, rows, METRICS)
    if live is None:
        return gate
    shown = gate.explanation.partition("; ")[2]
    text = f"release {live} has no measured answers: nothing to compare with"
    explanation = "; ".join(filter(None, [text, shown]))
    return Gate(NAME, True, explanation, gate.metadata, report=gate.report)


def _failed_answers(
    candidate: Sequence[Answered], gating: pl.DataFrame, min_coverage: float
) -> str:
    """Why too few questions were answered to judge by; an answer that failed has no score."""
    for item in candidate:
        rows = gated_rows(item.found, gating)
        failed = rows.filter(pl.col("error") != "").height
        if rows.height and 1 - failed / rows.height < min_coverage:
            return (
                f"{failed} of {counted(rows.height, 'answer')} to {item.found.evaluation.dataset} ended "
                f"in an error; at least {min_coverage:.0%} must be answered (judge.min_coverage)"
            )
    return ""


def pair(
    candidate: Answered, before: Answered, gating: pl.DataFrame, min_coverage: float
) -> tuple[pl.DataFrame, str]:
    """The same questions answered by both releases, as ``compare`` takes them.

    Args:
        candidate, before: answers of one set.
        gating: ``RESOLVED_QUESTIONS`` that gate.
        min_coverage: see ``answer_quality``.

    Returns:
        columns of ``ANSWER_RESULTS`` and ``faithfulness``, those of the live release with the
        prefix ``baseline_``; and why faithfulness is not compared, or "".
    """
    now, then = gated_rows(candidate.found, gating), before.found.rows
    why = _not_comparable(candidate, before, min_coverage)
    now, then = (
        _with_faithfulness(now, candidate, not why),
        _with_faithfulness(then, before, not why),
    )
    then = then.unique("question_sha256", keep="first", maintain_order=True)
    renamed = {
        name: f"baseline_{name}" for name in ("answer", "abstained", "cited", JUDGED, *METRICS)
    }
    paired = now.join(
        then.select("question_sha256", *renamed).rename(renamed), on="question_sha256", how="inner"
    )
    # both answered: whether the evidence was there is for the gate of retrieval
    return paired.with_columns(evidence=pl.lit("current"), baseline_evidence=pl.lit("current")), why


def _with_faithfulness(rows: pl.DataFrame, answered: Answered, counts: bool) -> pl.DataFrame:
    if not counts:
        return rows.with_columns(pl.lit(None, pl.Float64).alias(JUDGED))
    judged = _faithfulness(answered.judgements).filter(pl.col("status") == "ok")
    scores = judged.select(question_id="sample_id", **{JUDGED: "score"}).unique("question_id")
    return rows.join(scores, on="question_id", how="left")


def _faithfulness(judgements: pl.DataFrame) -> pl.DataFrame:
    return judgements.filter(pl.col("metric") == FAITHFULNESS, pl.col("status") != "not_applicable")


def _not_comparable(candidate: Answered, before: Answered, min_coverage: float) -> str:
    """Why judged faithfulness cannot be compared, or "" when it can, or nobody judged."""
    sides = {
        "the candidate": _faithfulness(candidate.judgements),
        "the live release": _faithfulness(before.judgements),
    }
    if all(judged.is_empty() for judged in sides.values()):
        return "faithfulness was not judged"
    for who, judged in sides.items():
        coverage = _coverage(judged)
        if coverage < min_coverage:
            return (
                f"faithfulness is not compared: {coverage:.0%} of the answers of {who} were judged, "
                f"at least {min_coverage:.0%} must be (judge.min_coverage)"
            )
    if _judges(sides["the candidate"]) != _judges(sides["the live release"]):
        return "faithfulness is not compared: the judge or its prompt is another one than before"
    return ""


def _coverage(judged: pl.DataFrame) -> float:
    return judged.filter(pl.col("status") == "ok").height / judged.height if judged.height else 0.0


def _judges(judged: pl.DataFrame) -> set[tuple[str, str]]:
    return set(judged.select("judge", "version").rows())
