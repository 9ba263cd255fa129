"""How sure can one be of a mean of some questions' values, and of the difference of two?"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RESAMPLES = 2000
CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A mean with its confidence interval."""

    mean: float
    low: float
    high: float


def mean_interval(values: np.ndarray, confidence: float = CONFIDENCE) -> Interval:
    """The mean of some questions' values with its percentile bootstrap interval.

    Efron, Tibshirani: "An Introduction to the Bootstrap", 1993, chapter 13; the questions are drawn
    again with replacement, from a fixed seed so that the same values give the same interval.

    Args:
        values: shape (questions,); fewer than two give an interval of no width, none give NaN.
    """
    if not len(values):
        return Interval(float("nan"), float("nan"), float("nan"))
    return _interval(np.asarray(values, dtype=np.float64), np.ones(len(values)), confidence)


def paired_difference(
    candidate: np.ndarray,
    baseline: np.ndarray,
    confidence: float = CONFIDENCE,
    clusters: Sequence[str] | None = None,
) -> Interval:
    """How much better the candidate is, by paired bootstrap.

    Args:
        candidate, baseline: a metric of the same questions in the same order, shape (questions,).
        clusters: what each question is about. Questions about one thing get better or worse
            together; then the things are drawn again, each with all of its questions (the cluster
            bootstrap: Davison, Hinkley, "Bootstrap Methods and their Application", 1997, 3.8).

    Returns:
        mean of candidate - baseline; an interval above 0 is an improvement beyond chance.

    Raises:
        ValueError: the two are not of the same questions.
    """
    if candidate.shape != baseline.shape:
        raise ValueError(f"not paired: {candidate.shape} and {baseline.shape}")
    differences = candidate - baseline
    if clusters is None or not len(differences):
        return mean_interval(differences, confidence)
    _, index = np.unique(np.array(clusters, dtype=str), return_inverse=True)
    sums = np.bincount(index, weights=differences)
    return _interval(sums, np.bincount(index).astype(np.float64), confidence)


def _interval(sums: np.ndarray, counts: np.ndarray, confidence: float) -> Interval:
    """The mean of clusters of values, of each its sum and size, with its bootstrap interval."""
    mean = float(sums.sum() / counts.sum())
    if len(sums) < 2:
        return Interval(mean, mean, mean)
    from scipy.stats import bootstrap

    drawn = bootstrap(
        (sums, counts),
        lambda sums, counts, axis: sums.sum(axis=axis) / counts.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=100,
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Interval(mean, float(drawn.low), float(drawn.high))


def standard_error(values: np.ndarray) -> float:
    """The standard error of the mean of some questions' values; 0 for fewer than two."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
