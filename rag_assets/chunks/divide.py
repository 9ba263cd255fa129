"""Content-defined division: where to cut a long run of units so that an edit moves few cuts.

Filling passages one after another makes every later boundary depend on every earlier one: a word
added at the top would re-embed the whole document. Here a run that is too long is cut at its best
boundary, and the two parts likewise. The best boundary is the strongest one (a paragraph rather
than a sentence), and among equals the one whose following text has the smallest hash, provided that
both sides keep a fair size. An edit changes the rank of the boundary it touches and leaves the
ranks of all others as they were, so the same cuts come out elsewhere.
"""

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

MARGIN = 0.25  # least share of the capacity on either side of a cut, where there is a choice
HASHED_CHARACTERS = 96


def text_rank(text: str, start: int, end: int) -> int:
    """The rank of a boundary: a hash of the text that follows it."""
    return zlib.crc32(
        text[start : min(end, start + HASHED_CHARACTERS)].strip().encode("utf-8", "surrogatepass")
    )


def divide(
    costs: "np.ndarray",
    strengths: Sequence[int],
    ranks: Sequence[int],
    capacity: int,
    margin: float = MARGIN,
) -> list[int]:
    """Choose the boundaries at which a run of units is cut.

    Args:
        costs: tokens before each boundary, both ends of the run included: n + 1 numbers for n
            units, not decreasing.
        strengths: for the same boundaries, how good a place to cut each is; higher is better.
        ranks: for the same boundaries, which to take among equally strong ones; lower is better.
        capacity: most tokens of a part; a single unit may exceed it.
        margin: least share of the capacity on either side of a cut, where there is a choice.

    Returns:
        Indices of boundaries, both ends included, in order.
    """
    import numpy as np

    strong, rank = np.asarray(strengths), np.asarray(ranks)
    cuts = [0, len(costs) - 1]
    stack = [(0, len(costs) - 1)]
    while stack:
        first, last = stack.pop()
        if last - first < 2 or costs[last] - costs[first] <= capacity:
            continue
        cut = _best(costs, strong, rank, first, last, int(margin * capacity))
        cuts.append(cut)
        stack += [(first, cut), (cut, last)]
    return sorted(cuts)


def _best(
    costs: "np.ndarray",
    strengths: "np.ndarray",
    ranks: "np.ndarray",
    first: int,
    last: int,
    least: int,
) -> int:
    """The best boundary strictly between two others; the one nearest the middle if none is fair."""
    import numpy as np

    # whole numbers: searching an array of integers for a float would copy it each time
    low = max(first + 1, int(costs.searchsorted(costs[first] + least, "left")))
    high = min(last - 1, int(costs.searchsorted(costs[last] - least, "right")) - 1)
    middle = (costs[first] + costs[last]) / 2
    if low > high:
        low, high = first + 1, last - 1
        candidates = np.arange(low, high + 1)
    else:
        inside = strengths[low : high + 1]
        candidates = low + np.flatnonzero(inside == inside.max())
        lowest = ranks[candidates]
        candidates = candidates[lowest == lowest.min()]
    return int(candidates[np.abs(costs[candidates] - middle).argmin()])
