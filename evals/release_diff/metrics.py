"""By how much two releases differ in quality, metric by metric, and is it chance?"""

from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from evals.answer_evaluation.results import read_answers, read_judgements
from evals.answer_evaluation.schema import SCORES
from evals.evaluations import Evaluation, Evaluations
from evals.gates.margins import FEWEST
from evals.retrieval_evaluation.compare import Comparison, compare
from evals.retrieval_evaluation.summary import COMPARED, without_nan
from rag_assets.platform.platform import Platform

from .pairs import Pairs


@dataclass(frozen=True)
class MetricChange:
    """One metric of one set, of both releases; higher is better.

    Attributes:
        kind: of the passages found, or of the answers.
        metric: e.g. ``ndcg@10`` or ``support``.
        questions: how many are compared: those that both were measured on.
        before, after: the means.
        difference, low, high: mean of after - before with its interval, paired by question.
        same_questions: whether both were evaluated on the same version of the set.
    """

    kind: Literal["retrieval", "answers"]
    dataset: str
    metric: str
    questions: int
    before: float
    after: float
    difference: float
    low: float
    high: float
    same_questions: bool

    @property
    def verdict(self) -> Literal["better", "worse", "same", "chance", "few"]:
        """What the interval says; the interval of a few questions says nothing."""
        if self.questions < FEWEST:
            return "few"
        if self.low > 0:
            return "better"
        if self.high < 0:
            return "worse"
        return "same" if self.low == self.high == 0 else "chance"

    def to_dict(self) -> dict[str, Any]:
        return without_nan({**self.__dict__, "verdict": self.verdict})


def retrieval_metrics(pairs: Pairs, confidence: float) -> list[MetricChange]:
    """The metrics of what was found, those that any question has.

    Args:
        confidence: of the intervals.
    """
    found = [(f"{name}@{pairs.k}", compare(pairs.rows, name, confidence)) for name in COMPARED]
    return [
        _change("retrieval", pairs.dataset, name, gain, same_questions=pairs.same_questions)
        for name, gain in found
        if gain.n
    ]


def answer_metrics(
    platform: Platform, before: int, after: int, confidence: float
) -> tuple[list[MetricChange], list[str]]:
    """The metrics of the answers to every set that both releases have answered.

    Args:
        before, after: release ids.

    Returns:
        the changes by set; and in words, what is not compared.
    """
    records = Evaluations(platform.database)
    old, new = (
        {item.dataset: item for item in records.of_release(release, "answer")}
        for release in (before, after)
    )
    changes: list[MetricChange] = []
    notes = [
        f"answers to {dataset}: only release {after if dataset in new else before} has any"
        for dataset in sorted(old.keys() ^ new.keys())
    ]
    for dataset in sorted(old.keys() & new.keys()):
        rows, metrics, note = answered_pairs(platform, old[dataset], new[dataset])
        notes += [f"answers to {dataset}: {note}"] if note else []
        same = old[dataset].questions_version == new[dataset].questions_version
        found = [(name, compare(rows, name, confidence)) for name in metrics]
        changes += [
            _change("answers", dataset, name, gain, same_questions=same)
            for name, gain in found
            if gain.n
        ]
    return changes, notes


def answered_pairs(
    platform: Platform, before: Evaluation, after: Evaluation
) -> tuple[pl.DataFrame, list[str], str]:
    """The questions that both releases answered, as ``compare`` takes them.

    Scores of a judge count only when the same judge with the same prompt gave both.

    Returns:
        the rows; the metrics that they have; and in words, what is not compared, or "".
    """
    old, old_judges = _scores(platform, before)
    new, new_judges = _scores(platform, after)
    judged = [name for name in sorted(new_judges) if old_judges.get(name) == new_judges[name]]
    others = sorted((old_judges.keys() & new_judges.keys()) - set(judged))
    note = f"{', '.join(others)}: another judge or prompt, not compared" if others else ""
    metrics = [*SCORES, *judged]
    old = old.unique("question_sha256", keep="first", maintain_order=True)
    renamed = {name: f"baseline_{name}" for name in metrics}
    rows = new.join(
        old.select("question_sha256", *metrics).rename(renamed), on="question_sha256", how="inner"
    )
    # both were asked: whether the evidence was there is told of what they found
    current = pl.lit("current")
    return rows.with_columns(evidence=current, baseline_evidence=current), metrics, note


def _scores(
    platform: Platform, evaluation: Evaluation
) -> tuple[pl.DataFrame, dict[str, frozenset[tuple[str, str]]]]:
    """The rows of an evaluation with a column for each judged metric; metric → judges and prompts."""
    rows = read_answers(platform, evaluation)
    judged = read_judgements(platform, evaluation).filter(pl.col("status") == "ok")
    judges = {}
    for (metric,), some in judged.group_by("metric"):
        name = str(metric)
        judges[name] = frozenset(some.select("judge", "version").rows())
        scores = some.unique("sample_id").select(question_id="sample_id", **{name: "score"})
        rows = rows.join(scores, on="question_id", how="left", maintain_order="left")
    return rows, judges


def _change(
    kind: Literal["retrieval", "answers"],
    dataset: str,
    metric: str,
    gain: Comparison,
    *,
    same_questions: bool,
) -> MetricChange:
    mean, low, high = gain.difference
    return MetricChange(
        kind,
        dataset,
        metric,
        gain.n,
        gain.baseline,
        gain.candidate,
        mean,
        low,
        high,
        same_questions,
    )
