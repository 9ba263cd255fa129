"""Share of the question's terms that a text has, rare terms counting more; no model is needed."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .terms import terms

if TYPE_CHECKING:
    import numpy as np


class TermOverlapReranker:
    """See the protocol in ``base.py``.

    A score is ``Σ idf(term) over the question's terms in the text / Σ idf(term) over all of them``,
    from 0 to 1. ``idf = ln(1 + (N - n + ½) / (n + ½))`` over the N texts of the call, n of them
    with the term (Robertson & Zaragoza, "The Probabilistic Relevance Framework", 2009, in the form
    that is never negative). So a score depends on which texts it is compared with, not on their
    order.
    """

    name = "term_overlap"

    def warm_up(self) -> None:
        """Nothing is to be loaded."""

    def score(self, question: str, texts: Sequence[str]) -> "np.ndarray":
        import numpy as np

        wanted = sorted(terms(question))
        has = np.array([[term in found for term in wanted] for found in map(terms, texts)])
        has = has.reshape(len(texts), len(wanted)).astype(np.float64)
        idf = np.array([_idf(int(count), len(texts)) for count in has.sum(axis=0)])
        scores: np.ndarray = has @ idf / (idf.sum() or 1.0)
        return scores

    def describe(self) -> dict[str, object]:
        return {"reranker": self.name}


def _idf(count: int, texts: int) -> float:
    return math.log(1 + (texts - count + 0.5) / (count + 0.5))
