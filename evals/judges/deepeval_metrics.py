"""The metrics of deepeval: https://deepeval.com/docs; hallucination too is best at 1."""

import json
import warnings
from collections.abc import Callable
from typing import Any

from rag_assets.platform.fingerprint import fingerprint

from .base import Sample, Score
from .client import JudgeClient
from .metering import metered
from .scores import checked_score
from .telemetry import telemetry_off

PROMPT_DIGITS = 12
# metric → its class, and whether it compares with a reference
CLASSES = {
    "faithfulness": ("FaithfulnessMetric", False),
    "answer_relevancy": ("AnswerRelevancyMetric", False),
    "contextual_precision": ("ContextualPrecisionMetric", True),
    "contextual_recall": ("ContextualRecallMetric", True),
    "contextual_relevancy": ("ContextualRelevancyMetric", False),
    "hallucination": ("HallucinationMetric", False),
}


class DeepEvalMetric:
    """A metric of deepeval as a ``JudgedMetric``.

    Args:
        name: ``deepeval.<metric>``; see ``CLASSES``.
        client: the judge.
    """

    def __init__(self, name: str, client: JudgeClient) -> None:
        self.name = name
        self._class, self.needs_reference = CLASSES[name.removeprefix("deepeval.")]
        self._model = _language_model(client)
        self.version = _version(self._class)

    async def score(self, sample: Sample) -> Score:
        """Judge one sample; see ``JudgedMetric``."""
        from deepeval.test_case import LLMTestCase

        # deepeval keeps a judgement's state in the metric: each judgement needs its own
        metric = self._metric()
        contexts = list(sample.contexts)
        case = LLMTestCase(
            input=sample.question,
            actual_output=sample.answer,
            expected_output=sample.reference,
            context=contexts,
            retrieval_context=contexts,
        )
        with metered() as meter:
            value = await metric.a_measure(case, _show_indicator=False)
            verdicts = _verdicts(metric)
            return checked_score(self.name, value, verdicts, metric.reason or "", meter)

    def _metric(self) -> Any:
        from deepeval import metrics

        with warnings.catch_warnings():
            # hallucination warns that its direction has changed, which it has for us too
            warnings.simplefilter("ignore", DeprecationWarning)
            return getattr(metrics, self._class)(
                model=self._model, eval_mode="llm", include_reason=True, async_mode=True
            )


def deepeval_metrics(client: JudgeClient) -> dict[str, Callable[[], DeepEvalMetric]]:
    """How each metric is made, by name. Nothing is imported before the first is made."""

    def maker(name: str) -> Callable[[], DeepEvalMetric]:
        return lambda: DeepEvalMetric(name, client)

    return {f"deepeval.{name}": maker(f"deepeval.{name}") for name in CLASSES}


def _language_model(client: JudgeClient) -> Any:
    """A language model for deepeval that asks the judge; usage is counted by the client."""
    telemetry_off()
    from deepeval.models import DeepEvalBaseLLM

    class Judge(DeepEvalBaseLLM):
        def load_model(self) -> Any:
            return client

        def get_model_name(self) -> str:
            return client.identity

        def generate(self, prompt: str, schema: Any = None) -> Any:
            raise NotImplementedError("judges are asked asynchronously")

        async def a_generate(self, prompt: str, schema: Any = None) -> Any:
            return await client.complete(prompt, schema)

    return Judge()


def _version(class_name: str) -> str:
    """deepeval's version and a hash of the metric's prompts."""
    from importlib.metadata import version
    from importlib.resources import files

    bundle = files("deepeval") / "templates" / "metrics" / "templates.json"
    templates = json.loads(bundle.read_text(encoding="utf-8"))[class_name]
    prompts = {name: text for name, text in templates.items() if not name.startswith("_")}
    return f"deepeval {version('deepeval')}, prompt {fingerprint(prompts)[:PROMPT_DIGITS]}"


def _verdicts(metric: Any) -> int:
    """How many verdicts the score is made of: deepeval takes none for a 1 in some metrics."""
    if hasattr(metric, "verdicts_list"):
        return sum(len(item.verdicts) for item in metric.verdicts_list)
    return len(getattr(metric, "verdicts", []))
