"""Fits the model that decides when to abstain."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rag_assets.query.evidence.abstention import MOST_DEVIATIONS
from rag_assets.query.parameters import AbstentionModel

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

# strength of the L2 penalty: a few hundred questions and some thirty features, many of them related
REGULARISATION = 0.1
SMALLEST_SCALE = 1e-6
FOLDS = 5


def fit_abstention(
    features: Sequence[Mapping[str, float]], answerable: np.ndarray, balance: float | None
) -> AbstentionModel:
    """Fit a logistic model and choose its threshold, on the same questions.

    Args:
        features: of ``evidence.features``, one a question.
        answerable: bool, shape (questions,): whether the documents answer it.
        balance: at most this share of the answerable questions is refused; None: the threshold of
            the greatest balanced accuracy.

    Raises:
        ValueError: the questions are all of one kind, or their number differs from the features'.
    """
    labels = np.asarray(answerable, dtype=bool)
    if len(labels) != len(features):
        raise ValueError(f"{len(features)} features for {len(labels)} questions")
    if labels.all() or not labels.any():
        raise ValueError("answerable and unanswerable questions are needed")
    names, means, scales, deviations = _standardised(features)
    model = _classifier().fit(deviations, labels)
    probabilities = model.predict_proba(deviations)[:, 1]
    threshold = choose_threshold(probabilities, labels, balance)
    return AbstentionModel(
        names,
        tuple(means.tolist()),
        tuple(scales.tolist()),
        tuple(model.coef_[0].tolist()),
        float(model.intercept_[0]),
        threshold,
        _in_words(balance),
    )


def reliable_auroc(features: Sequence[Mapping[str, float]], answerable: np.ndarray) -> float:
    """What can be relied on: the cross-validated area under the ROC curve less its standard error.

    Every question is judged by a model that was fitted without it (``FOLDS`` folds). The standard
    error is that of Hanley and McNeil, "The meaning and use of the area under a receiver operating
    characteristic (ROC) curve" (1982).

    Args:
        features, answerable: see ``fit_abstention``.
    """
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    labels = np.asarray(answerable, dtype=bool)
    deviations = _standardised(features)[3]
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    judged = cross_val_predict(
        _classifier(), deviations, labels, cv=folds, method="decision_function"
    )
    area = float(roc_auc_score(labels, judged))
    positive, negative = int(labels.sum()), int((~labels).sum())
    twice, double = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (positive - 1) * (twice - area**2)
    variance += (negative - 1) * (double - area**2)
    return area - float(np.sqrt(variance / (positive * negative)))


def _standardised(
    features: Sequence[Mapping[str, float]],
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray, np.ndarray]:
    """Names, means, scales and the clipped deviations, float64, shape (questions, names)."""
    names = tuple(sorted(set.intersection(*(set(row) for row in features))))
    values = np.array([[row[name] for name in names] for row in features], dtype=np.float64)
    means = values.mean(axis=0)
    spread = values.std(axis=0)
    scales = np.where(spread > SMALLEST_SCALE, spread, 1.0)
    deviations = np.clip((values - means) / scales, -MOST_DEVIATIONS, MOST_DEVIATIONS)
    return names, means, scales, deviations


def _classifier() -> "LogisticRegression":
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=REGULARISATION, max_iter=1000)


def choose_threshold(
    probabilities: np.ndarray, answerable: np.ndarray, balance: float | None
) -> float:
    """The threshold below which to refuse.

    Args:
        probabilities: float64, shape (questions,).
        answerable: bool, of the same shape, both kinds among them.
        balance: see ``fit_abstention``.
    """
    if balance is not None:
        # refused is what lies below: the allowed number of the lowest may be
        allowed = int(balance * answerable.sum() + 1e-9)
        ranked = np.append(np.sort(probabilities[answerable]), np.inf)
        return float(min(ranked[allowed], ranked[-2]))
    candidates = np.unique(probabilities)
    refused = probabilities[None, :] < candidates[:, None]
    accuracy = (~refused)[:, answerable].mean(axis=1) + refused[:, ~answerable].mean(axis=1)
    return float(candidates[int(np.argmax(accuracy))])


def _in_words(balance: float | None) -> str:
    if balance is None:
        return "both errors weigh alike"
    return f"at most {balance:.0%} of the answerable questions are refused"
