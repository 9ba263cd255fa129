"""Which real answers are judged: a random part of a day that is the same whoever draws it."""

import hashlib
import math
from collections.abc import Sequence

from rag_assets.query.log import AnswerRecord

from .query_log import answered


def sampled(records: Sequence[AnswerRecord], size: int, elapsed: float = 1.0) -> list[AnswerRecord]:
    """At most ``size`` of a day's answers, those whose ids have the smallest hashes.

    The hash of a random id says nothing about the answer, so that this is a uniform sample without
    replacement; and it depends on nothing but the day's answers.

    Args:
        records: what was asked so far; abstentions and errors are not judged.
        size: of the sample of a whole day.
        elapsed: how much of the day is over. The sample grows with the day: were it full in the
            morning, half of what was judged by noon would have to leave it until midnight.
    """
    wanted = math.ceil(size * elapsed)
    return sorted(filter(answered, records), key=_rank)[:wanted]


def _rank(record: AnswerRecord) -> tuple[bytes, str]:
    return hashlib.sha256(record.answer_id.encode()).digest(), record.answer_id
