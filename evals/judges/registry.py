"""Which metrics the settings ask for."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.settings import JudgeSettings

from .base import JudgedMetric
from .client import JudgeClient
from .deepeval_metrics import CLASSES, deepeval_metrics
from .ragas_metrics import ragas_metrics

if TYPE_CHECKING:
    from rag_assets.encoders.base import Encoder

NAMES = (
    "ragas.faithfulness",
    "ragas.answer_relevancy",
    "ragas.context_precision",
    "ragas.context_recall",
    *(f"deepeval.{name}" for name in CLASSES),
)


def make_metrics(
    settings: JudgeSettings,
    encoder: "Encoder",
    client: JudgeClient | None = None,
    patterns: Sequence[str] | None = None,
) -> list[JudgedMetric]:
    """Make the metrics of a deployment; their libraries are imported now, the judge is not asked.

    Args:
        settings: the section ``[judge]`` of the settings.
        encoder: what ``ragas.answer_relevancy`` compares questions with.
        client: the judge; None makes one.
        patterns: names with ``*``, instead of ``judge.metrics``.

    Returns:
        The metrics in the order of ``NAMES``, each once.

    Raises:
        ConfigurationError: a name is unknown, or there is no judge.
    """
    wanted = chosen_names(settings.metrics if patterns is None else patterns)
    client = client or JudgeClient(settings)
    makers: dict[str, Callable[[], JudgedMetric]] = {
        **ragas_metrics(client, encoder),
        **deepeval_metrics(client),
    }
    return [makers[name]() for name in wanted]


def chosen_names(patterns: Sequence[str]) -> list[str]:
    """The names that any of the patterns means.

    Raises:
        ConfigurationError: a pattern means none.
    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in NAMES):
            raise ConfigurationError(
                f"There is no judged metric '{pattern}'.",
                f"judge.metrics knows: {', '.join(NAMES)}, and patterns such as 'ragas.*'.",
            )
    return [name for name in NAMES if any(fnmatchcase(name, pattern) for pattern in patterns)]
