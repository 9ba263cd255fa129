"""Which status a judgement gets, and the row it becomes: pure functions."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rag_assets.encoders.tokenizer import without_lone_surrogates
from rag_assets.platform.errors import RaglineError
from rag_assets.platform.wording import counted

from .base import InvalidScore, JudgedMetric, Judgement, Sample, Score, Status, Usage
from .client import JudgeFailed

MAX_REASON = 2000


def inapplicable(sample: Sample, metric: JudgedMetric) -> str:
    """Why a metric has nothing to judge in a sample; empty where it has."""
    if not sample.question.strip():
        return "There is no question."
    if not sample.answer.strip():
        return "The answer is empty."
    if not any(context.strip() for context in sample.contexts):
        return "The answerer read no contexts."
    if metric.needs_reference and not (sample.reference or "").strip():
        return "There is no reference answer."
    return ""


def status_of(error: Exception) -> Status:
    """The status of a judgement that ended in an error."""
    if isinstance(error, InvalidScore):
        return "invalid"
    if isinstance(error, TimeoutError) or (
        isinstance(error, JudgeFailed) and error.kind == "timeout"
    ):
        return "timeout"
    return "error"


def words_of(error: Exception, limit_seconds: float) -> str:
    """What an error says, for the column ``reason``."""
    if isinstance(error, TimeoutError):
        return f"Not judged within {counted(limit_seconds, 'second')} (judge.timeout_seconds)."
    if isinstance(error, RaglineError):
        return error.message
    if isinstance(error, InvalidScore):
        return str(error)
    return f"{type(error).__name__}: {error}"


def judgement_of(
    sample: Sample,
    metric: JudgedMetric,
    judge: str,
    key: str,
    status: Status,
    *,
    score: Score | None = None,
    reason: str = "",
    usage: Usage | None = None,
    cost_usd: float = 0.0,
    seconds: float = 0.0,
) -> Judgement:
    """A judgement that was made now; ``score`` where it is ``ok``, else ``reason``."""
    usage = usage or Usage()
    return Judgement(
        sample_id=sample.sample_id,
        metric=metric.name,
        version=metric.version,
        judge=judge,
        status=status,
        score=score.value if score else None,
        reason=_clean(score.reason if score else reason),
        verdicts=score.verdicts if score else 0,
        calls=usage.calls,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cost_usd=cost_usd,
        seconds=seconds,
        cached=False,
        key=key,
    )


def cached_judgement(sample: Sample, row: Mapping[str, Any]) -> Judgement:
    """A judgement of an earlier run: what it took was paid for then, and counts no more."""
    names = ("metric", "version", "judge", "score", "reason", "verdicts", "key")
    return Judgement(
        sample_id=sample.sample_id, status="ok", **{name: row[name] for name in names}, **_FREE
    )


def shared_judgement(sample: Sample, judgement: Judgement) -> Judgement:
    """The judgement of another sample with the same content, which paid for it."""
    free = {**_FREE, "cached": judgement.status == "ok"}
    return replace(judgement, sample_id=sample.sample_id, **free)


_FREE: dict[str, Any] = {
    "calls": 0,
    "prompt_tokens": 0,
    "completion_tokens": 0,
    "cost_usd": 0.0,
    "seconds": 0.0,
    "cached": True,
}


def _clean(text: str) -> str:
    """On one line, shortened, and without what a database cannot store."""
    text = without_lone_surrogates(text.replace("\x00", ""))
    return " ".join(text.split())[:MAX_REASON]
