"""When is a release worse than another one: by more than a margin, and by more than chance?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from evals.retrieval_evaluation.compare import Comparison, compare, compared
from rag_assets.platform.wording import counted

# a mean of fewer questions is shown, and stops nothing: its interval is not to be trusted
FEWEST = 10
# differences of means that are equal on paper
ROUNDING = 1e-9


@dataclass(frozen=True)
class MarginTest:
    """One metric of one question set, the candidate beside the live release.

    Attributes:
        dataset: name of the question set.
        label: of the metric, for people.
        comparison: on the questions that both can be held to; its interval is corrected for the
            number of tests.
        gated: whether there are enough questions to block by.
        margin: how much worse the candidate may be.
    """

    dataset: str
    label: str
    comparison: Comparison
    gated: bool
    margin: float

    @property
    def failed(self) -> bool:
        """Whether the candidate is worse by more than the margin and by more than chance."""
        difference = self.comparison.difference
        return self.gated and difference.mean < -self.margin - ROUNDING and difference.high < 0

    def __str__(self) -> str:
        """One clause with the numbers that decided."""
        comparison, difference = self.comparison, self.comparison.difference
        text = (
            f"{self.dataset} {self.label} {comparison.baseline:.3f} → {comparison.candidate:.3f} "
            f"({difference.mean:+.3f}, {difference.low:+.3f} to {difference.high:+.3f}, "
            f"{counted(comparison.n, 'question')})"
        )
        return text if self.gated else f"{text}, too few to gate on"


def corrected(confidence: float, tests: int) -> float:
    """The confidence of each of several tests so that all together keep it.

    Bonferroni's inequality; Dunn, "Multiple Comparisons Among Means", 1961.
    """
    return 1 - (1 - confidence) / max(tests, 1)


def run_tests(
    results: Mapping[str, pl.DataFrame],
    metrics: Mapping[str, str],
    *,
    margin: float,
    confidence: float,
) -> list[MarginTest]:
    """Compare every metric of every set that has something to compare.

    Args:
        results: set → rows with ``metric`` and ``baseline_<metric>``, as ``compare`` takes them.
        metrics: column → its name for people.
        margin: see ``MarginTest``.
        confidence: of all tests together.
    """
    found = {
        (dataset, metric): compared(rows, metric).height
        for dataset, rows in sorted(results.items())
        for metric in metrics
    }
    gated = {key for key, questions in found.items() if questions >= FEWEST}
    level = corrected(confidence, len(gated))
    return [
        MarginTest(
            dataset,
            metrics[metric],
            compare(results[dataset], metric, level),
            (dataset, metric) in gated,
            margin,
        )
        for (dataset, metric), questions in found.items()
        if questions
    ]


def explain(tests: Sequence[MarginTest]) -> str:
    """One sentence: what failed, or that nothing did, with the numbers."""
    failed = [test for test in tests if test.failed]
    if failed:
        return f"worse than the live release: {'; '.join(str(test) for test in failed)}" + (
            f"; allowed is a loss of {failed[0].margin:g}, or one within chance"
        )
    return f"not worse than the live release: {'; '.join(str(test) for test in tests)}"


def numbers(tests: Sequence[MarginTest]) -> dict[str, Any]:
    """What is worth plotting of some tests; finite numbers only."""
    values: dict[str, Any] = {"questions": _questions(tests), "tests_failed": 0}
    for test in tests:
        comparison, difference = test.comparison, test.comparison.difference
        name = f"{test.dataset} {test.label}"
        values |= {
            name: round(comparison.candidate, 6),
            f"{name} before": round(comparison.baseline, 6),
            f"{name} difference": round(difference.mean, 6),
            f"{name} low": round(difference.low, 6),
            f"{name} high": round(difference.high, 6),
            f"{name} questions": comparison.n,
        }
        values["tests_failed"] += int(test.failed)
    return values


def _questions(tests: Sequence[MarginTest]) -> int:
    most: dict[str, int] = {}
    for test in tests:
        most[test.dataset] = max(most.get(test.dataset, 0), test.comparison.n)
    return sum(most.values())
