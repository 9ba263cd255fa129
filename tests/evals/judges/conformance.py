"""What every judged metric must do, whatever library it comes from."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from evals.judges.base import InvalidScore, JudgedMetric, Score, Usage
from evals.judges.client import JudgeClient, JudgeFailed
from evals.judges.metering import metered
from evals.judges.registry import make_metrics
from rag_assets.platform.settings import JudgeSettings
from tests.evals.judges.conftest import SAMPLE, KnownEncoder
from tests.evals.judges.judge_server import (
    COMPLETION_TOKENS,
    PROMPT_TOKENS,
    Fault,
    JudgeServer,
    verdicts,
)

EMPTY: dict[str, Any] = {
    "ContextPrecisionOutput": {},  # its only reply without a verdict
    "StatementGeneratorOutput": {"statements": []},
    "NLIStatementOutput": {"statements": []},
    "AnswerRelevanceOutput": {"question": "", "noncommittal": 0},
    "ContextRecallOutput": {"classifications": []},
    "Claims": {"claims": []},
    "Statements": {"statements": []},
    "Verdicts": verdicts(),
    "ContextualRelevancyVerdicts": verdicts(),
}


def metric_of(judge: JudgeServer, name: str, **changes: Any) -> JudgedMetric:
    """One metric by its name."""
    settings = JudgeSettings(base_url=judge.url, metrics=[name], **changes)
    [metric] = make_metrics(settings, KnownEncoder(), JudgeClient(settings))  # type: ignore[arg-type]
    return metric


class MetricConformance:
    """Inherit it with the metric's ``name``, the known ``score`` of its replies and its ``calls``."""

    name: str
    score: float
    calls: int
    verdicts: int

    def judged(self, judge: JudgeServer) -> Score:
        return asyncio.run(metric_of(judge, self.name).score(SAMPLE))

    def test_known_verdicts_give_the_known_score(self, judge: JudgeServer) -> None:
        found = self.judged(judge)

        assert found.value == pytest.approx(self.score, abs=1e-6)
        assert found.verdicts == self.verdicts
        assert found.reason

    def test_every_call_and_token_is_counted(self, judge: JudgeServer) -> None:
        found = self.judged(judge)

        calls = len(judge.requests)
        assert calls == self.calls
        assert found.usage == Usage(calls, calls * PROMPT_TOKENS, calls * COMPLETION_TOKENS)

    def test_every_request_asks_for_a_strict_schema(self, judge: JudgeServer) -> None:
        self.judged(judge)

        for body in judge.requests:
            form = body["response_format"]
            assert form["type"] == "json_schema"
            assert form["json_schema"]["strict"] is True
            assert_strict(form["json_schema"]["schema"])

    def test_it_has_a_name_and_a_version(self, judge: JudgeServer) -> None:
        metric = metric_of(judge, self.name)

        library = self.name.partition(".")[0]
        assert metric.name == self.name
        assert metric.version.startswith(f"{library} ")
        assert "prompt " in metric.version
        assert metric.version == metric_of(judge, self.name).version

    def test_samples_judged_together_do_not_mix(self, judge: JudgeServer) -> None:
        metric = metric_of(judge, self.name)
        other = replace(SAMPLE, contexts=SAMPLE.contexts[:1])

        async def both() -> list[Score]:
            return list(await asyncio.gather(*[metric.score(s) for s in (SAMPLE, other, SAMPLE)]))

        first, second, third = asyncio.run(both())
        alone = asyncio.run(metric.score(other))

        assert (first.value, first.verdicts, first.usage) == (
            third.value,
            third.verdicts,
            third.usage,
        )
        assert (second.verdicts, second.usage) == (alone.verdicts, alone.usage)

    def test_no_verdicts_are_no_score(self, judge: JudgeServer) -> None:
        judge.replies |= EMPTY

        with pytest.raises(InvalidScore):
            self.judged(judge)

    @pytest.mark.parametrize("text", ["I would say yes.", '{"verdicts": 7}', "", '{"reason": "a'])
    def test_garbage_is_no_score(self, judge: JudgeServer, text: str) -> None:
        judge.faults = lambda name, prompt: Fault(text=text)

        with metered() as meter, pytest.raises(InvalidScore):
            self.judged(judge)

        assert meter.usage.calls >= 1
        assert meter.usage.prompt_tokens >= PROMPT_TOKENS, "what was of no use was paid for too"

    def test_a_reply_that_was_cut_is_no_score(self, judge: JudgeServer) -> None:
        judge.faults = lambda name, prompt: Fault(finish="length")

        with pytest.raises(InvalidScore, match="max_tokens"):
            self.judged(judge)

    def test_a_failing_server_is_told_and_not_asked_again(self, judge: JudgeServer) -> None:
        judge.faults = lambda name, prompt: Fault(status=500)

        with pytest.raises(JudgeFailed) as caught:
            self.judged(judge)

        assert caught.value.passing
        sent = [body["messages"][0]["content"] for body in judge.requests]
        assert len(sent) == len(set(sent))


def assert_strict(node: Any) -> None:
    """Every object names all its keys and no others; every integer is 0 or 1."""
    if isinstance(node, list):
        for item in node:
            assert_strict(item)
    if isinstance(node, dict):
        if node.get("type") == "object":
            assert node["additionalProperties"] is False
            assert set(node["required"]) == set(node["properties"])
        if node.get("type") == "integer":
            assert node["enum"] == [0, 1]
        for child in node.values():
            assert_strict(child)
