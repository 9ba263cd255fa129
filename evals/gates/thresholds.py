"""Least values that an evaluation must reach, e.g. ``ndcg@10=0.7``."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from evals.retrieval_evaluation.citations import CUTOFFS
from evals.retrieval_evaluation.metrics import metric_names
from rag_assets.platform.errors import ConfigurationError

AUROC = "auroc"


class Threshold(NamedTuple):
    """A value and the least it may be."""

    name: str
    least: float


class Verdict(NamedTuple):
    """What came of a threshold; ``value`` is None where the set does not measure it."""

    name: str
    least: float
    value: float | None

    @property
    def passed(self) -> bool:
        """Whether the value was measured and is high enough."""
        return self.value is not None and self.value >= self.least


def parse_thresholds(texts: Sequence[str], k: int) -> list[Threshold]:
    """Read thresholds before anything is measured.

    Args:
        texts: each ``<name>=<value>``; names are the metrics at ``k``, ``auroc`` and
            ``gold_page@<n>``.

    Raises:
        ConfigurationError: a text is not a threshold of something that is measured.
    """
    names = [*metric_names(k), AUROC, *(f"gold_page@{cutoff}" for cutoff in CUTOFFS)]
    found = []
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        try:
            least = float(value)
        except ValueError as error:
            raise ConfigurationError(
                f"'{text}' is not a threshold.", "Write a name and a number, e.g. ndcg@10=0.7."
            ) from error
        if name not in names:
            raise ConfigurationError(
                f"'{name}' is not measured at --k {k}.", f"What is: {', '.join(names)}."
            )
        found.append(Threshold(name, least))
    return found


def judge_thresholds(thresholds: Sequence[Threshold], summary: dict[str, Any]) -> list[Verdict]:
    """Compare an evaluation's summary with the thresholds, in their order."""
    values = {
        **(summary["citations"] or {}),
        **(summary["abstention"] or {}),
        **summary["metrics"],
    }
    return [Verdict(item.name, item.least, values.get(item.name)) for item in thresholds]
