"""The protocol of rerankers: a question and texts in, one score a text out.

A reranker is made by ``make_reranker(name, settings, encoder)`` with a light constructor: no
weights, no heavy import. ``warm_up`` (or the first ``score``) loads what it needs.

``score(question, texts)`` returns a float64 array of shape ``(len(texts),)``, in the order of the
texts; a higher score is a better passage. Scores are finite and comparable within one call, do not
depend on the order or on the company of the texts beyond 1e-3 of their range where a model is
involved, and an empty list gives shape ``(0,)``. A text may be of any length and script, empty
included. One reranker may be used from several threads. Errors are ``RerankerError`` with what to
do; the engine then answers in the order of the search and says so in ``degraded``.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np


class Reranker(Protocol):
    """See the module's docstring."""

    name: str  # as in the settings, e.g. "late_interaction"

    def warm_up(self) -> None: ...
    def score(self, question: str, texts: Sequence[str]) -> "np.ndarray": ...
    def describe(self) -> dict[str, object]:
        """Facts for metadata: the model and what it runs on."""
        ...
