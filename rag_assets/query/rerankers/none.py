"""No reranker: the order of the search stays."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


class NoReranker:
    """See the protocol in ``base.py``; scores fall evenly from 1 to 0 by position."""

    name = "none"

    def warm_up(self) -> None:
        """Nothing is to be loaded."""

    def score(self, question: str, texts: Sequence[str]) -> "np.ndarray":
        import numpy as np

        return np.linspace(1.0, 0.0, len(texts))

    def describe(self) -> dict[str, object]:
        return {"reranker": self.name}
