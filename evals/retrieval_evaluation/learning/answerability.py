"""Does the engine know when the documents do not answer? Learning the threshold and reporting on it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rag_assets.query.parameters import AbstentionModel

# fewer questions of a kind do not make a threshold
MIN_OF_A_KIND = 30
# a model that orders a pair of questions rightly less often than this is no better than a guess
LEAST_AUROC = 0.6

Features = dict[str, float]


def enough_of_each(answerable: Mapping[str, bool]) -> bool:
    """Whether there are enough questions of either kind to learn a threshold from."""
    yes = sum(answerable.values())
    return min(yes, len(answerable) - yes) >= MIN_OF_A_KIND


def learn_abstention(
    features: Mapping[str, Features], answerable: Mapping[str, bool], balance: float | None
) -> AbstentionModel | None:
    """Fit the model on some questions; None where they teach nothing that can be relied on.

    That is where there are too few of a kind, or where a model of their evidence, judged by
    cross-validation, cannot be trusted to tell them apart: to refuse by such a model would refuse
    good questions for nothing.

    Args:
        features: question → what the engine knows about its evidence.
        answerable: question → whether the documents answer it; the questions to learn from.
        balance: most answerable questions that may be refused, as a share; None: weigh both errors
            alike.
    """
    labels = np.array(list(answerable.values()), dtype=bool)
    if not enough_of_each(answerable):
        return None
    from .abstention import fit_abstention, reliable_auroc

    rows = [features[question] for question in answerable]
    if reliable_auroc(rows, labels) < LEAST_AUROC:
        return None
    return fit_abstention(rows, labels, balance)


def report_abstention(
    model: AbstentionModel, features: Mapping[str, Features], answerable: Mapping[str, bool]
) -> dict[str, Any] | None:
    """How a model does on questions it was not fitted on; None where they are all of one kind.

    Returns:
        auroc, wrongly_refused (share of the answerable), wrongly_answered (share of the
        unanswerable), threshold, balance, and how many of each kind there were.
    """
    from rag_assets.query.evidence.abstention import probability

    labels = np.array(list(answerable.values()), dtype=bool)
    if labels.all() or not labels.any():
        return None
    values = np.array([probability(model, features[question]) for question in answerable])
    return {
        "auroc": area_under_roc(labels, values),
        **error_shares(labels, values, model.threshold),
        "threshold": model.threshold,
        "balance": model.balance,
        "answerable": int(labels.sum()),
        "unanswerable": int((~labels).sum()),
    }


def area_under_roc(labels: np.ndarray, values: np.ndarray) -> float:
    """The chance that an answerable question has a higher value than an unanswerable one."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, values))


def error_shares(
    labels: Sequence[bool] | np.ndarray, values: np.ndarray, threshold: float
) -> dict[str, float]:
    """wrongly_refused and wrongly_answered when everything below the threshold is refused."""
    answerable, refused = np.asarray(labels, dtype=bool), values < threshold
    return {
        "wrongly_refused": float(refused[answerable].mean()),
        "wrongly_answered": float((~refused[~answerable]).mean()),
    }
