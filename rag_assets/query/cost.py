"""What an answer costs: by the price list of a hosted model, or by the time of one's own GPUs."""

import math
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from rag_assets.platform.settings import CostSettings, PriceSettings

from .log import AnswerRecord

SECONDS_PER_HOUR = 3600
TOKENS_PER_PRICE = 1_000_000
# the part of timings_ms in which the LLM was at work
LLM_TIMING = "answer_llm"
# servers answer with the dated snapshot of the model that was asked for
SNAPSHOT = re.compile(r"[-@]\d{4}-?\d{2}-?\d{2}$")


def cost_usd(
    model: str,
    prompt_tokens: int,
    completion_tokens: int,
    settings: CostSettings,
    *,
    measured: float = 0.0,
) -> float:
    """The price of one answer in USD; 0 where nothing is configured.

    A model in the price list costs
    ``(prompt_tokens · prompt + completion_tokens · completion) / 1,000,000``. Any other is taken as
    self-hosted and costs its share of the GPUs' time:
    ``gpu_hour_usd / 3600 / tokens_per_second · (prompt_tokens + completion_tokens)``.
    Both kinds of tokens count there, because both occupy the GPU and because the throughput is
    measured over both: summed over the answers it was measured on, the costs give exactly the price
    of the GPUs' busy time. One rate for both overstates long prompts (reading is quicker than
    writing) and understates long answers, so compare single answers with care and sums freely.

    Args:
        model: the name the server answered with; a dated snapshot (``name-2026-01-31``) has the
            price of ``name`` unless it has one of its own.
        prompt_tokens, completion_tokens: as the server counted them.
        settings: prices and throughput.
        measured: tokens per second from ``measured_tokens_per_second``; used while
            ``gpu_tokens_per_second`` is 0.
    """
    prompt, completion = max(prompt_tokens, 0), max(completion_tokens, 0)
    price = _price(model, settings)
    if price is not None:
        total = prompt * _exact(price.prompt) + completion * _exact(price.completion)
        return float(total / TOKENS_PER_PRICE)
    rate = settings.gpu_tokens_per_second or measured
    if not math.isfinite(rate) or rate <= 0:
        return 0.0
    second = _exact(settings.gpu_hour_usd) / SECONDS_PER_HOUR
    return float(second * (prompt + completion) / _exact(rate))


def measured_tokens_per_second(records: Iterable[AnswerRecord]) -> float:
    """The throughput of a self-hosted LLM as the log shows it; 0 where no LLM answered.

    ``Σ (prompt_tokens + completion_tokens) / |∪ [asked_at, asked_at + llm time)|``: all tokens over
    the seconds in which at least one answer was being written. Answers that overlap share their
    seconds, as they share the GPU; idle seconds do not count. The rate is that of the load there
    was: a lightly used server is slow in this sense, and its tokens are dear.

    Args:
        records: of one server over a window, e.g. ``AnswerLog.between``; in any order. Answers
            without tokens or without time in the LLM are left out.
    """
    spans: list[tuple[datetime, datetime]] = []
    tokens = 0
    for record in records:
        milliseconds = record.timings_ms.get(LLM_TIMING) or 0.0
        count = record.prompt_tokens + record.completion_tokens
        if milliseconds > 0 and count > 0:
            tokens += count
            end = record.asked_at + timedelta(milliseconds=milliseconds)
            spans.append((record.asked_at, end))
    busy = _busy_seconds(spans)
    return tokens / busy if busy > 0 else 0.0


def _busy_seconds(spans: list[tuple[datetime, datetime]]) -> float:
    """The length of the union of some intervals, in seconds."""
    busy = timedelta()
    reached: datetime | None = None
    for start, end in sorted(spans):
        start = start if reached is None else max(start, reached)
        if end > start:
            busy += end - start
            reached = end
    return busy.total_seconds()


def _price(model: str, settings: CostSettings) -> PriceSettings | None:
    return settings.prices.get(model) or settings.prices.get(SNAPSHOT.sub("", model))


def _exact(value: float) -> Decimal:
    """The number as it was written, without the error of its binary form."""
    return Decimal(str(value))
