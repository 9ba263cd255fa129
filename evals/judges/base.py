"""What a judge judges and what comes of it; the protocol of every judged metric.

A metric (``JudgedMetric``) is made once a run and judges samples one at a time:

* ``name`` is ``<library>.<metric>``, e.g. ``ragas.faithfulness``; ``version`` names the library's
  version and the prompt's, so that a score can be traced to the words that asked for it;
* ``needs_reference`` says that a sample without a reference answer does not apply;
* ``await score(sample)`` returns a ``Score`` or raises; it is called concurrently. Whatever it
  raises becomes a judgement of that status: the metric neither retries nor swallows;
* every score is from 0 to 1 and **1 is best**, whatever the library means by it;
* a value out of range, NaN, or made of an empty list of verdicts raises ``InvalidScore``.

Heavy things (ragas, deepeval) are imported when the metric is made, never before.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

Status = Literal["ok", "timeout", "invalid", "error", "not_applicable"]


class InvalidScore(Exception):
    """A library returned something that is no score: NaN, out of range, or of no verdicts."""


@dataclass(frozen=True)
class Sample:
    """One answer to be judged.

    Attributes:
        sample_id: question_id or answer_id.
        contexts: what the answerer read, passage by passage in reading order.
        reference: the right answer, or None where nobody wrote one.
        documents: document_ids of the contexts, so that a removal of a document finds what was
            said about it.
    """

    sample_id: str
    question: str
    answer: str
    contexts: tuple[str, ...]
    reference: str | None = None
    documents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Usage:
    """Calls and tokens of one judgement, failed attempts included: they were paid for."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True)
class Score:
    """What a metric says of a sample: value from 0 to 1, why, how many verdicts it is made of."""

    value: float
    reason: str
    verdicts: int
    usage: Usage = Usage()


class JudgedMetric(Protocol):
    """See the module."""

    name: str
    version: str
    needs_reference: bool

    async def score(self, sample: Sample) -> Score:
        """Judge one sample; see the module."""
        ...


@dataclass(frozen=True)
class Judgement:
    """One metric of one sample, or why there is none; a row of ``JUDGEMENTS``.

    Attributes:
        metric: ``<library>.<metric>``.
        version: of the library and of its prompt.
        judge: ``<model>@<server>``, without credentials.
        score: None unless ``status`` is ``ok``.
        reason: the judge's, or the error's message.
        cost_usd: of all calls; 0 for a cached judgement, which was paid for before.
        cached: whether it was taken from an earlier run.
        key: hash of everything that determines it; the cache's key.
    """

    sample_id: str
    metric: str
    version: str
    judge: str
    status: Status
    score: float | None
    reason: str
    verdicts: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    seconds: float
    cached: bool
    key: str
