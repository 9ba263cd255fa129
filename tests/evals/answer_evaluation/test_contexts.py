"""The context metrics agree with their definitions, and ragas' own objects with both."""

import asyncio
import random

import pytest

from evals.answer_evaluation.contexts import (
    ContextQuestion,
    ContextScores,
    context_scores,
    holds,
)

WORDS = [
    "leave",
    "tank",
    "oil",
    "manager",
    "phone",
    "quarter",
    "station",
    "price",
    "roof",
    "winter",
]


def text(draw: random.Random, length: int) -> str:
    return " ".join(draw.choice(WORDS) for _ in range(length))


def by_definition(passages: list[str], quotes: list[str]) -> ContextScores:
    """Mean precision at the useful ranks; share of the quotes found. White space is single here."""
    useful = [any(quote in passage for quote in quotes) for passage in passages]
    precisions = [
        sum(useful[: rank + 1]) / (rank + 1) for rank, is_useful in enumerate(useful) if is_useful
    ]
    found = [quote for quote in quotes if any(quote in passage for passage in passages)]
    average = sum(precisions) / len(precisions) if precisions else 0.0
    return ContextScores(average, len(found) / len(quotes))


def random_question(draw: random.Random) -> ContextQuestion:
    quotes = [text(draw, draw.randint(4, 9)) for _ in range(draw.randint(1, 3))]
    passages = []
    for _ in range(draw.randint(1, 5)):
        inside = draw.choice([*quotes, "", ""])
        passages.append(f"{text(draw, 15)} {inside} {text(draw, 15)}")
    return ContextQuestion(tuple(passages), tuple(quotes))


def test_random_questions_score_as_defined() -> None:
    draw = random.Random(5)
    questions = [random_question(draw) for _ in range(40)]
    expected = [by_definition(list(q.passages), list(q.quotes)) for q in questions]
    assert len({score.precision for score in expected}) > 5
    for score, right in zip(context_scores(questions), expected, strict=True):
        assert score == pytest.approx(right, abs=1e-6)


def test_ragas_own_objects_with_their_own_measure_agree_where_contexts_are_whole() -> None:
    """A passage that is the quote and one unlike it are the same to either measure."""
    from ragas.dataset_schema import SingleTurnSample
    from ragas.metrics._context_precision import NonLLMContextPrecisionWithReference
    from ragas.metrics._context_recall import NonLLMContextRecall

    quotes = ("Five unused days may be taken.", "Call before nine o'clock.")
    passages = ("0123456789" * 4, quotes[1], "9876543210" * 3, quotes[0])
    sample = SingleTurnSample(retrieved_contexts=list(passages), reference_contexts=list(quotes))

    async def score() -> tuple[float, float]:
        precision, recall = NonLLMContextPrecisionWithReference(), NonLLMContextRecall()
        return (
            await precision.single_turn_ascore(sample),
            await recall.single_turn_ascore(sample),
        )

    found = context_scores([ContextQuestion(passages, quotes)])[0]
    assert found == pytest.approx(asyncio.run(score()), abs=1e-6)
    assert found == pytest.approx((0.5, 1.0), abs=1e-6)


def test_a_quote_is_found_whatever_the_markup() -> None:
    quote = "You may take up to five unused days into the next year."
    inside = "## Leave\n\nYou may take **up to\nfive unused days** into the next year. Ask Anna."
    assert holds(inside, quote)
    assert not holds(inside, "")
    assert not holds("", quote)


def test_the_same_sentence_with_another_number_is_no_evidence() -> None:
    quotes = ("The limit is 7 days according to the policy.",)
    passages = (
        "Scope. The limit is 8 days according to the policy. Ask the team.",
        "five unused days",
        "Scope. The limit is 7 days according to the policy. Ask the team.",
    )
    score = context_scores([ContextQuestion(passages, quotes)])[0]
    assert score == pytest.approx((1 / 3, 1.0), abs=1e-6)


def test_nothing_read_scores_zero_and_no_quotes_are_refused() -> None:
    assert context_scores([ContextQuestion((), ("a",))]) == [ContextScores(0.0, 0.0)]
    assert context_scores([]) == []
    with pytest.raises(ValueError, match="without quotes"):
        context_scores([ContextQuestion(("a",), ())])


def test_it_may_be_called_while_an_event_loop_runs() -> None:
    async def inside() -> list[ContextScores]:
        return context_scores([ContextQuestion(("Ask Anna.",), ("Ask Anna.",))])

    assert asyncio.run(inside()) == [ContextScores(1.0, 1.0)]
