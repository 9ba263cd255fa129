"""A day of the query log in numbers."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from rag_assets.query.log import AnswerRecord, LogMode

from .schema import PERCENTILES, TIMINGS


def summarize_day(records: Sequence[AnswerRecord], log: LogMode) -> dict[str, Any]:
    """What was asked on a day and how it was answered.

    Args:
        records: every answer of the day.
        log: the setting ``query.log``.

    Returns:
        The columns of ``QUERY_DAYS`` but the day, and ``counts``: for each of ``COUNTED`` how many
        queries had which name. All of it is JSON; a share, mean or percentile of nothing is None.
    """
    queries = len(records)
    abstained = sum(record.abstained for record in records)
    degraded = sum(bool(record.degraded) for record in records)
    errors = sum(bool(record.error) for record in records)
    authenticated = sum(record.authenticated for record in records)
    cost = math.fsum(record.cost_usd for record in records)
    return {
        "log": log,
        "queries": queries,
        "distinct_questions": len({record.question_sha256 for record in records}),
        "authenticated": authenticated,
        "authenticated_share": _share(authenticated, queries),
        "answered": sum(map(answered, records)),
        "abstained": abstained,
        "abstained_share": _share(abstained, queries),
        "degraded": degraded,
        "degraded_share": _share(degraded, queries),
        "errors": errors,
        "errors_share": _share(errors, queries),
        **_latencies(records),
        "prompt_tokens": sum(record.prompt_tokens for record in records),
        "completion_tokens": sum(record.completion_tokens for record in records),
        "cost_usd": cost,
        "cost_usd_per_query": cost / queries if queries else None,
        "support": _mean(known for item in records if (known := support_of(item)) is not None),
        "counts": _counts(records),
    }


def answered(record: AnswerRecord) -> bool:
    """Whether a query ended with an answer: not with an abstention and not with an error."""
    return not record.abstained and not record.error


def support_of(record: AnswerRecord) -> float | None:
    """The mean support of an answer's sentences by what they cite, or None where it has none."""
    return _mean(float(item["score"]) for item in record.support) if answered(record) else None


def _latencies(records: Sequence[AnswerRecord]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for timing in TIMINGS:
        values = [record.timings_ms[timing] for record in records if timing in record.timings_ms]
        for percentile in PERCENTILES:
            # linear between the two nearest, which is the default of NumPy and of spreadsheets
            value = round(float(np.percentile(values, percentile)), 3) if values else None
            found[f"{timing}_p{percentile}_ms"] = value
    return found


def _counts(records: Sequence[AnswerRecord]) -> dict[str, dict[str, int]]:
    kinds: dict[str, Counter[str]] = {
        "degraded": Counter(name for record in records for name in set(record.degraded)),
        "error": Counter(record.error.partition(":")[0] for record in records if record.error),
        "release": Counter(str(record.release_id) for record in records),
        "answerer": Counter(record.answerer for record in records),
    }
    return {kind: dict(sorted(names.items())) for kind, names in kinds.items()}


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return math.fsum(listed) / len(listed) if listed else None
