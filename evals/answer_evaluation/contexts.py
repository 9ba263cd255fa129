"""Does what the answerer read hold the evidence? ragas' context metrics that need no LLM.

Reference contexts are the quotes of a golden question. ragas compares whole strings by their edit
distance: a passage of a page is never half like a quote of one sentence, so that everything would
score 0; and the best window of a passage is nearly like any sentence of the same form with another
number in it. Its metrics take another measure instead: here, whether the passage holds the quote.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from evals.golden_questions.resolve import SearchableText
from evals.judges.telemetry import telemetry_off


class ContextScores(NamedTuple):
    """Both metrics of one question, from 0 to 1.

    Attributes:
        precision: mean precision at the rank of every passage that holds a quote; 0 without any.
        recall: share of the quotes that some passage holds.
    """

    precision: float
    recall: float


class ContextQuestion(NamedTuple):
    """What was read, best first, and what should have been: ``quotes`` has at least one."""

    passages: tuple[str, ...]
    quotes: tuple[str, ...]


def context_scores(questions: Sequence[ContextQuestion]) -> list[ContextScores]:
    """Score what was read for some questions, with ragas' own objects.

    ``NonLLMContextPrecisionWithReference`` and ``NonLLMContextRecall`` of ragas 0.4 with ``holds`` as
    their distance measure. Safe to call while an event loop runs.

    Raises:
        ValueError: a question has no quotes.
    """
    if any(not question.quotes for question in questions):
        raise ValueError("a question without quotes has no reference contexts")
    if not questions:
        return []
    telemetry_off()
    # a loop of its own: the caller may be inside one
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, _score_all(questions)).result()


def holds(passage: str, quote: str) -> bool:
    """Whether a quote stands in a passage, white space and Markdown markers aside; see ``resolve``."""
    return SearchableText([(0, passage)]).find(quote) is not None


async def _score_all(questions: Sequence[ContextQuestion]) -> list[ContextScores]:
    precision, recall = _metrics()
    return [
        ContextScores(await _score(precision, question), await _score(recall, question))
        # ragas has no score where nothing was read
        if question.passages
        else ContextScores(0.0, 0.0)
        for question in questions
    ]


async def _score(metric: Any, question: ContextQuestion) -> float:
    from ragas.dataset_schema import SingleTurnSample

    sample = SingleTurnSample(
        retrieved_contexts=list(question.passages), reference_contexts=list(question.quotes)
    )
    # ragas adds 1e-10 to a denominator
    return min(1.0, round(float(await metric.single_turn_ascore(sample)), 9))


def _metrics() -> tuple[Any, Any]:
    from ragas.metrics._context_precision import NonLLMContextPrecisionWithReference
    from ragas.metrics._context_recall import NonLLMContextRecall

    measure: Any = _Presence()
    return (
        NonLLMContextPrecisionWithReference(distance_measure=measure),
        NonLLMContextRecall(_distance_measure=measure),
    )


class _Presence:
    """``holds`` as ragas calls a distance measure: the passage is its reference."""

    async def single_turn_ascore(self, sample: Any, callbacks: Any = None) -> float:
        return float(holds(sample.reference, sample.response))
