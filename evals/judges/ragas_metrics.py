"""The metrics of ragas: https://docs.ragas.io, ``ragas.metrics.collections``.

ragas asks through a language model of ours, not through instructor: so that both libraries send the
same requests to the same client, every token is counted, and nothing is tried again in secret.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rag_assets.platform.fingerprint import fingerprint

from .base import InvalidScore, Sample, Score
from .client import JudgeClient
from .metering import metered
from .reply_schema import stray_verdict
from .scores import checked_score
from .telemetry import telemetry_off

if TYPE_CHECKING:
    from rag_assets.encoders.base import Encoder

PROMPT_DIGITS = 12


class RagasMetric:
    """A metric of ragas as a ``JudgedMetric``.

    Args:
        name: ``ragas.<metric>``.
        make: a language model → the metric of ragas.
        arguments: names of the metric's arguments, of those in ``_arguments``.
        last: name of the reply that holds the verdicts.
        encoder: fingerprint of the encoder that it depends on.
    """

    def __init__(
        self,
        name: str,
        client: JudgeClient,
        make: Callable[[Any], Any],
        arguments: tuple[str, ...],
        last: str,
        encoder: str = "",
    ) -> None:
        self.name = name
        self.needs_reference = "reference" in arguments
        self._client = client
        self._make = make
        self._arguments = arguments
        self._last = last
        self.version = _version(make(_language_model(client, [])), encoder)

    async def score(self, sample: Sample) -> Score:
        """Judge one sample; see ``JudgedMetric``."""
        replies: list[Any] = []
        metric = self._make(_language_model(self._client, replies))
        values = _arguments(sample)
        with metered() as meter:
            result = await metric.ascore(**{name: values[name] for name in self._arguments})
            stray = stray_verdict(replies)
            if stray is not None:
                raise InvalidScore(f"{self.name} has the verdict {stray}, which is not 0 or 1.")
            verdicts = [
                verdict
                for reply in replies
                if type(reply).__name__ == self._last
                for verdict in _verdicts(reply)
            ]
            value = result.value
            if self.name == "ragas.answer_relevancy":
                value = _similarity(value)
            reason = "; ".join(_reason(verdict) for verdict in verdicts)
            return checked_score(self.name, value, len(verdicts), reason, meter)


def ragas_metrics(client: JudgeClient, encoder: "Encoder") -> dict[str, Callable[[], RagasMetric]]:
    """How each metric is made, by name. Nothing is imported before the first is made.

    Args:
        client: the judge.
        encoder: compares questions for ``ragas.answer_relevancy``.
    """

    def faithfulness() -> RagasMetric:
        def make(llm: Any) -> Any:
            return _collections().Faithfulness(llm=llm)

        asks = ("user_input", "response", "retrieved_contexts")
        return RagasMetric("ragas.faithfulness", client, make, asks, "NLIStatementOutput")

    def answer_relevancy() -> RagasMetric:
        encoder.warm_up()  # now, so that no judgement's time limit has to include it

        def make(llm: Any) -> Any:
            return _collections().AnswerRelevancy(llm=llm, embeddings=_embeddings(encoder))

        asks = ("user_input", "response")
        last = "AnswerRelevanceOutput"
        name = "ragas.answer_relevancy"
        return RagasMetric(name, client, make, asks, last, encoder.fingerprint)

    def context_precision() -> RagasMetric:
        def make(llm: Any) -> Any:
            return _collections().ContextPrecision(llm=llm)

        asks = ("user_input", "reference", "retrieved_contexts")
        return RagasMetric("ragas.context_precision", client, make, asks, "ContextPrecisionOutput")

    def context_recall() -> RagasMetric:
        def make(llm: Any) -> Any:
            return _collections().ContextRecall(llm=llm)

        asks = ("user_input", "reference", "retrieved_contexts")
        return RagasMetric("ragas.context_recall", client, make, asks, "ContextRecallOutput")

    makers = (faithfulness, answer_relevancy, context_precision, context_recall)
    return {f"ragas.{maker.__name__}": maker for maker in makers}


def _collections() -> Any:
    telemetry_off()
    from ragas.metrics import collections

    return collections


def _language_model(client: JudgeClient, replies: list[Any]) -> Any:
    """A language model for ragas that asks the judge and keeps what it replied."""
    telemetry_off()
    from ragas.llms.base import InstructorBaseRagasLLM

    class Judge(InstructorBaseRagasLLM):
        def generate(self, prompt: str, response_model: Any) -> Any:
            raise NotImplementedError("judges are asked asynchronously")

        async def agenerate(self, prompt: str, response_model: Any) -> Any:
            replies.append(await client.complete(prompt, response_model))
            return replies[-1]

    return Judge()


def _embeddings(encoder: "Encoder") -> Any:
    """The encoder as ragas asks for one."""
    from ragas.embeddings.base import BaseRagasEmbedding

    class Embeddings(BaseRagasEmbedding):
        def embed_text(self, text: str, **_: Any) -> list[float]:
            return list(map(float, encoder.encode([text])[0]))

        async def aembed_text(self, text: str, **_: Any) -> list[float]:
            return await asyncio.to_thread(self.embed_text, text)

        async def aembed_texts(self, texts: list[str], **_: Any) -> list[list[float]]:
            vectors = await asyncio.to_thread(encoder.encode, texts)
            return [list(map(float, vector)) for vector in vectors]

    return Embeddings()


def _version(metric: Any, encoder: str) -> str:
    """ragas' version and a hash of the prompts, with the encoder where there is one."""
    from importlib.metadata import version

    prompts = [
        [prompt.instruction, prompt.examples, prompt.output_model.model_json_schema()]
        for _, prompt in sorted(vars(metric).items())
        if hasattr(prompt, "instruction")
    ]
    parts = [f"ragas {version('ragas')}", f"prompt {fingerprint(prompts)[:PROMPT_DIGITS]}"]
    return ", ".join(parts + [f"encoder {encoder[:PROMPT_DIGITS]}"] * bool(encoder))


def _arguments(sample: Sample) -> dict[str, Any]:
    return {
        "user_input": sample.question,
        "response": sample.answer,
        "reference": sample.reference,
        "retrieved_contexts": list(sample.contexts),
    }


def _verdicts(reply: Any) -> list[Any]:
    """The verdicts in a reply: the items of its list, or the reply itself."""
    if type(reply).__name__ == "AnswerRelevanceOutput":
        return [reply] if reply.question else []  # ragas leaves out what has no question
    lists = [value for value in reply.__dict__.values() if isinstance(value, list)]
    return lists[0] if lists else [reply]


def _reason(verdict: Any) -> str:
    """A verdict in words: what was judged, how, and why."""
    fields = dict(verdict.__dict__)
    number = next((value for value in fields.values() if isinstance(value, int)), "")
    words = [str(value) for value in fields.values() if isinstance(value, str)]
    return f"[{number}] {': '.join(words)}"


def _similarity(value: float) -> float:
    """A mean cosine, from -1 to 1, as a score: questions that point apart are as bad as it gets."""
    return max(value, 0.0) if value >= -1.001 else value
