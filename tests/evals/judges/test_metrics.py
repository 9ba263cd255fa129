"""Every metric against a judge whose verdicts are known."""

import asyncio

import pytest

from evals.judges.base import InvalidScore, Score
from evals.judges.registry import NAMES
from tests.evals.judges.conformance import MetricConformance, metric_of
from tests.evals.judges.conftest import SAMPLE
from tests.evals.judges.judge_server import JudgeServer, verdicts


class TestRagasFaithfulness(MetricConformance):
    name, score, calls, verdicts = "ragas.faithfulness", 2 / 3, 2, 3


class TestRagasAnswerRelevancy(MetricConformance):
    name, score, calls, verdicts = "ragas.answer_relevancy", 1.0, 3, 3

    def test_another_question_is_orthogonal(self, judge: JudgeServer) -> None:
        judge.replies["AnswerRelevanceOutput"] = {"question": "When?", "noncommittal": 0}

        assert self.judged(judge).value == 0

    def test_an_opposite_question_is_as_bad_as_it_gets(self, judge: JudgeServer) -> None:
        wanted = sum(SAMPLE.question.encode()) % 64
        text = next(
            f"not {letter}{other}"
            for letter in map(chr, range(97, 123))
            for other in map(chr, range(97, 123))
            if sum(f"not {letter}{other}".encode()) % 64 == wanted
        )
        judge.replies["AnswerRelevanceOutput"] = {"question": text, "noncommittal": 0}

        assert self.judged(judge).value == 0

    def test_a_noncommittal_answer_scores_nothing(self, judge: JudgeServer) -> None:
        judge.replies["AnswerRelevanceOutput"] = {"question": SAMPLE.question, "noncommittal": 1}

        assert self.judged(judge).value == 0


class TestRagasContextPrecision(MetricConformance):
    name, score, calls, verdicts = "ragas.context_precision", 1.0, 3, 3

    def test_order_counts(self, judge: JudgeServer) -> None:
        def reply(prompt: str) -> dict[str, object]:
            useful = "In London up to" in prompt or "Breakfast is not" in prompt
            return {"verdict": int(useful), "reason": "so"}

        judge.replies["ContextPrecisionOutput"] = reply

        # useful at ranks 1 and 3: (1/1 + 2/3) / 2
        assert self.judged(judge).value == pytest.approx(5 / 6, abs=1e-6)


class TestRagasContextRecall(MetricConformance):
    name, score, calls, verdicts = "ragas.context_recall", 1 / 4, 1, 4


class TestDeepEvalFaithfulness(MetricConformance):
    name, score, calls, verdicts = "deepeval.faithfulness", 2 / 3, 4, 3


class TestDeepEvalAnswerRelevancy(MetricConformance):
    name, score, calls, verdicts = "deepeval.answer_relevancy", 2 / 3, 3, 3


class TestDeepEvalContextualPrecision(MetricConformance):
    name, score, calls, verdicts = "deepeval.contextual_precision", 1.0, 2, 3

    def test_order_counts(self, judge: JudgeServer) -> None:
        judge.replies["Verdicts"] = verdicts("no", "yes", "yes")

        # useful at ranks 2 and 3: (1/2 + 2/3) / 2
        assert self.judged(judge).value == pytest.approx(7 / 12)


class TestDeepEvalContextualRecall(MetricConformance):
    name, score, calls, verdicts = "deepeval.contextual_recall", 2 / 3, 2, 3


class TestDeepEvalContextualRelevancy(MetricConformance):
    name, score, calls, verdicts = "deepeval.contextual_relevancy", 1 / 2, 4, 6


class TestDeepEvalHallucination(MetricConformance):
    """``yes`` means that a context agrees with the answer: 1 is best."""

    name, score, calls, verdicts = "deepeval.hallucination", 2 / 3, 2, 3

    def test_an_answer_that_all_contexts_agree_with_has_the_best_score(
        self, judge: JudgeServer
    ) -> None:
        judge.replies["Verdicts"] = verdicts("yes", "yes", "yes")

        assert self.judged(judge).value == 1


def test_every_metric_is_held_to_the_conformance() -> None:
    tested = {case.name for case in MetricConformance.__subclasses__()}

    assert tested == set(NAMES)


@pytest.mark.parametrize("stray", [2, -1, 63502971])
@pytest.mark.parametrize(
    ("name", "schema", "field"),
    [
        ("ragas.context_precision", "ContextPrecisionOutput", None),
        ("ragas.faithfulness", "NLIStatementOutput", "statements"),
        ("ragas.context_recall", "ContextRecallOutput", "classifications"),
    ],
)
def test_a_verdict_that_is_neither_0_nor_1_is_no_score(
    judge: JudgeServer, name: str, schema: str, field: str | None, stray: int
) -> None:
    item = {"statement": "s", "reason": "r", "verdict": stray, "attributed": stray}
    judge.replies[schema] = {field: [item]} if field else item

    with pytest.raises(InvalidScore, match=str(stray)):
        asyncio.run(metric_of(judge, name).score(SAMPLE))


def test_reasons_are_the_judges(judge: JudgeServer) -> None:
    def reasons(name: str) -> str:
        found: Score = asyncio.run(metric_of(judge, name).score(SAMPLE))
        return found.reason

    assert "[0] s2: because" in reasons("ragas.faithfulness")
    assert reasons("deepeval.hallucination") == "because"
