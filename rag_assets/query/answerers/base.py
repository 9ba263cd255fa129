"""The protocol of answerers: a question and numbered passages in, a stream of events out.

An answerer is made by ``make_answerer(name, …)`` with a light constructor: no weights, no network,
no heavy import. ``answer(request)`` is a generator: it yields ``Token`` events as text becomes
known and ends with exactly one ``Draft``, whose ``text`` is what the tokens joined give. Markers in
the text are ``[1]``, ``[2]`` …, the numbers of the passages; an answerer that knows the very spans
it quotes says so in ``quotes``, for others the engine looks for the spans afterwards. A draft
without any citation means that the answerer found no answer.

Closing the generator early stops the work (and an LLM's generation) at once. Failures raise
``AnswererUnavailable`` (the server is down, slow, overloaded, its circuit is open, it broke off
mid-answer) or ``AnswererRefused`` (it will not answer this request: unknown model, bad key, prompt
too long for it); both say what to do, and carry a short ``kind`` for ``degraded`` and metrics. One
answerer may be used from several threads.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rag_assets.platform.errors import RaglineError
from rag_assets.query.answer import Draft, Passage, Token

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "AnswerRequest",
    "Answerer",
    "AnswererError",
    "AnswererRefused",
    "AnswererUnavailable",
    "Draft",
    "Token",
]


@dataclass(frozen=True)
class AnswerRequest:
    """What an answerer is given.

    Attributes:
        question: as it was asked.
        question_vector: float32, shape (dimensions,), of unit length.
        passages: numbered from 1, in the order they are to be read.
        task: which prompt template, e.g. ``question_answering``.
    """

    question: str
    question_vector: "np.ndarray"
    passages: Sequence[Passage]
    task: str = "question_answering"


class AnswererError(RaglineError):
    """An answerer cannot answer; ``kind`` is a short name such as ``timeout`` for metrics."""

    def __init__(self, message: str, hint: str = "", *, kind: str = "error") -> None:
        super().__init__(message, hint)
        self.kind = kind


class AnswererUnavailable(AnswererError):
    """Down, slow, overloaded, broken off; worth another try later."""


class AnswererRefused(AnswererError):
    """Will not answer this request, however often it is asked."""


class Answerer(Protocol):
    """See the module's docstring."""

    name: str  # "extractive", "llm:<model>"

    def warm_up(self) -> None: ...
    def count_tokens(self, text: str) -> int:
        """Tokens of a text in the answerer's own tokenizer, or a safe (high) estimate."""
        ...

    def answer(self, request: AnswerRequest) -> Iterator[Token | Draft]: ...
