"""Readers of other processes that ask all the time, and the judge of what they were told.

Every sentence of every document names its edition, and every release has an edition of its own. All
clocks are ``time.monotonic``, which on one machine is the same for all processes.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from tests.query.editions import TOPICS, editions, question_of

CALLER = Caller()


@dataclass(frozen=True)
class Told:
    """One query: when it began and ended, and what it was told.

    Attributes:
        kind: search or ask.
        release: the release that it says it is from.
        editions: of everything that was shown, piece by piece.
        error: what went wrong, if it did; something that was left out is wrong as well.
    """

    kind: str
    began: float
    ended: float
    release: int
    editions: list[list[int]]
    error: str = ""


@dataclass(frozen=True)
class Switch:
    """A release went live, somewhere between the beginning and the end of a call."""

    release: int
    began: float
    ended: float


@dataclass
class Verdict:
    """What was wrong, in words, and how much there was to judge by.

    Attributes:
        decided: queries to which exactly one release could be the answer.
    """

    failed: list[str] = field(default_factory=list)
    mixed: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    decided: int = 0


def judge(
    told: Sequence[Told],
    switches: Sequence[Switch],
    edition_of: Callable[[int], int],
    seconds: float,
) -> Verdict:
    """Judge queries by the clocks alone, so that no machine is too slow for it.

    A query may answer from a release that may have been live at any moment from ``seconds`` before
    the query began until it ended. What is on record of a release is the longest time in which it
    may have been live: from before the call that made it live until after the next such call.

    Args:
        switches: in order, the first before any query; the last is live until the end.
        edition_of: release → the edition of its documents.
        seconds: after which a query must not see an older release.
    """
    verdict = Verdict()
    ends = [switch.ended for switch in switches[1:]] + [float("inf")]
    spans = [(s.release, s.began, end) for s, end in zip(switches, ends, strict=True)]
    for query in told:
        verdict.kinds[query.kind] += 1
        words = json.dumps(asdict(query))
        if query.error or not query.editions:
            verdict.failed.append(words)
            continue
        if any(piece != [edition_of(query.release)] for piece in query.editions):
            verdict.mixed.append(words)
        possible = {
            release
            for release, began, ended in spans
            if began <= query.ended and ended >= query.began - seconds
        }
        verdict.decided += len(possible) == 1
        if query.release not in possible:
            verdict.stale.append(f"{words}: only {sorted(possible)} may answer")
    return verdict


def ask_until(stop: Event, count: "Synchronized[int]", settings: str, path: str, seed: int) -> None:
    """Search and ask in turn until told to stop; the body of a reading process.

    Args:
        stop: set when it is enough.
        count: of the queries so far.
        settings: of the deployment, JSON.
        path: where what was told is written, a line a query.
        seed: where to begin among the topics.
    """
    engine = QueryEngine(Platform(Settings.model_validate_json(settings)))
    engine.warm_up()
    with Path(path).open("w", encoding="utf-8") as file:
        while not stop.is_set():
            number = seed + count.value
            question = question_of(TOPICS[number % len(TOPICS)])
            ask = _search if number % 2 else _ask
            file.write(json.dumps(asdict(_told(ask, engine, question))) + "\n")
            count.value += 1


def read(path: Path) -> list[Told]:
    """What a process was told."""
    return [Told(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


Asked = tuple[int, list[list[int]], list[str]]


def _told(ask: Callable[[QueryEngine, str], Asked], engine: QueryEngine, question: str) -> Told:
    kind = ask.__name__.strip("_")
    began = time.monotonic()
    try:
        release, seen, degraded = ask(engine, question)
    except Exception as error:
        return Told(kind, began, time.monotonic(), 0, [], repr(error))
    return Told(kind, began, time.monotonic(), release, seen, ", ".join(degraded))


def _search(engine: QueryEngine, question: str) -> Asked:
    retrieval = engine.retrieve(question, CALLER)
    release: dict[str, Any] = engine.release_info(retrieval.snapshot)
    return (
        release["id"],
        [editions(hit.text, hit.title, *hit.heading_path) for hit in retrieval.hits],
        retrieval.degraded,
    )


def _ask(engine: QueryEngine, question: str) -> Asked:
    answer = engine.ask(question, CALLER)
    pieces = [answer.answer] if not answer.abstained else []
    pieces += [f"{item.quote} {item.title}" for item in [*answer.citations, *answer.closest]]
    return answer.release["id"], [editions(piece) for piece in pieces], answer.degraded
