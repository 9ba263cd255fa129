"""The calibrated judgement whether the documents answer a question."""

import math
from collections.abc import Mapping

from rag_assets.query.parameters import AbstentionModel

# beyond this many standard deviations a value says no more than that it is extreme
MOST_DEVIATIONS = 6.0


def probability(model: AbstentionModel, features: Mapping[str, float]) -> float:
    """How likely the documents answer the question.

    Args:
        model: learned for the release, see ``AbstentionModel`` for the formula.
        features: of ``evidence.features``; one that is absent, or not finite, counts as its mean.

    Returns:
        From 0 to 1; the engine abstains below ``model.threshold``.
    """
    logit = model.intercept
    rows = zip(model.features, model.means, model.scales, model.coefficients, strict=True)
    for name, mean, scale, coefficient in rows:
        value = features.get(name, mean)
        if math.isfinite(value):
            deviations = (value - mean) / scale
            logit += coefficient * max(-MOST_DEVIATIONS, min(MOST_DEVIATIONS, deviations))
    # the two forms of the logistic function: neither overflows on its own side
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    return math.exp(logit) / (1 + math.exp(logit))
