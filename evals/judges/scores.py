"""What every metric does with the number that a library returns."""

import math

from .base import InvalidScore, Score
from .metering import Meter

ROUNDING = 1e-6


def checked_score(name: str, value: object, verdicts: int, reason: str, meter: Meter) -> Score:
    """A score that can be believed.

    Args:
        name: the metric, for messages.
        value: what the library returned.
        verdicts: how many verdicts of the judge it is made of.
        reason: the judge's.
        meter: what it took.

    Raises:
        InvalidScore: no number, NaN, out of range, or made of no verdicts.
    """
    if verdicts < 1:
        raise InvalidScore(f"{name} is made of no verdicts.")
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise InvalidScore(f"{name} is no number: {value!r}.")
    if not -ROUNDING <= value <= 1 + ROUNDING:
        raise InvalidScore(f"{name} is out of range: {value:g}.")
    return Score(min(max(float(value), 0.0), 1.0), reason, verdicts, meter.usage)
