"""Real questions, out of the query log: what is asked again, and with whose rights."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rag_assets.platform.errors import RaglineError
from rag_assets.platform.fingerprint import fingerprint
from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller
from rag_assets.query.log import AnswerLog, AnswerRecord

NO_TEXTS = "query.log is '{mode}': the log has no texts of questions that could be asked again"
NO_QUESTIONS = "nobody has asked anything in the last {days}"


class NothingToReplay(RaglineError):
    """There are no real questions, or nothing to compare with."""


@dataclass(frozen=True)
class RealQuestion:
    """A question that somebody asked.

    Attributes:
        question_id: hash of question, rights and filter.
        question: its text.
        caller: the rights it was asked with.
        filter: the filter it was asked with; empty without one.
        asked_at: when it was asked last.
        times: how often it was asked.
    """

    question_id: str
    question: str
    caller: Caller
    filter: str
    asked_at: datetime
    times: int = 1


@dataclass(frozen=True)
class RealQuestions:
    """What is asked again.

    Attributes:
        questions: newest first.
        distinct: how many there were to choose from.
        why: why there are none; empty where there are some.
    """

    questions: tuple[RealQuestion, ...]
    distinct: int = 0
    why: str = ""

    @property
    def version(self) -> str:
        """The fingerprint of what is asked."""
        return fingerprint(sorted(item.question_id for item in self.questions))


def real_questions(
    platform: Platform, *, days: int, limit: int, now: datetime | None = None
) -> RealQuestions:
    """The distinct questions of the last days, or a sample of them.

    Distinct are questions by text, rights and filter. Where there are more than the limit, those with
    the smallest hashes are taken: a uniform sample, the same whoever draws it, of which most is still
    the same when a few more questions have come.

    Args:
        platform: the deployment; ``query.log`` must be "full" for there to be texts.
        days: how far back.
        limit: most questions.
        now: the end of the days; default this moment.
    """
    mode = platform.settings.query.log
    if mode != "full":
        return RealQuestions((), why=NO_TEXTS.format(mode=mode))
    now = now or datetime.now(UTC)
    records = AnswerLog(platform.database).between(now - timedelta(days=days), now)
    distinct: dict[str, RealQuestion] = {}
    for record in records:  # oldest first: the newest is what stays
        item = _question(record, distinct)
        if item is not None:
            distinct[item.question_id] = item
    if not distinct:
        return RealQuestions((), why=NO_QUESTIONS.format(days=_days(days)))
    taken = sorted(distinct.values(), key=lambda item: _rank(item.question_id))[:limit]
    newest = sorted(taken, key=lambda item: (item.asked_at, item.question_id), reverse=True)
    return RealQuestions(tuple(newest), len(distinct))


def _question(record: AnswerRecord, known: dict[str, RealQuestion]) -> RealQuestion | None:
    """A row of the log as a question; None where its text was not kept, or erased."""
    text = (record.question or "").strip()
    if not text:
        return None
    caller = Caller(frozenset(record.groups), record.admin, record.authenticated)
    chosen = _filter(record.filter)
    identity = [text, sorted(caller.groups), caller.admin, caller.authenticated, chosen]
    question_id = fingerprint(identity)[:32]
    before = known.get(question_id)
    times = before.times + 1 if before else 1
    return RealQuestion(question_id, text, caller, chosen, record.asked_at, times)


def _filter(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value) if value else ""


def _rank(question_id: str) -> bytes:
    return hashlib.sha256(question_id.encode()).digest()


def _days(days: int) -> str:
    return "day" if days == 1 else f"{days} days"
