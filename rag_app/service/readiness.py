"""Whether a question could be answered now: found out by searching, not by guessing."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import sqlalchemy as sa

from rag_assets.platform.errors import RaglineError
from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine

logger = logging.getLogger(__name__)

PROBE = "Is anybody there?"
PROBE_SECONDS = 10.0  # a check that takes longer has failed
REMEMBERED_SECONDS = 1.0  # load balancers look often, and from several places
CHECKS = ("database", "release", "index")


@dataclass(frozen=True)
class State:
    """What was found.

    Attributes:
        problems: of each check that was made, what is wrong; empty when it is well.
        release_id: the release that answers.
    """

    problems: dict[str, str] = field(default_factory=dict)
    release_id: int | None = None

    @property
    def missing(self) -> list[str]:
        """The checks that failed, or that could not be made because of one before them."""
        return [name for name in CHECKS if self.problems.get(name, "not looked at")]


class Readiness:
    """Looks at most once in ``REMEMBERED_SECONDS``.

    Args:
        platform: the deployment.
        engine: that answers questions.
    """

    def __init__(self, platform: Platform, engine: QueryEngine) -> None:
        self._platform = platform
        self._engine = engine
        self._lock = asyncio.Lock()
        self._until = float("-inf")
        self._last = State()

    async def look(self) -> State:
        """The present state."""
        async with self._lock:
            if time.monotonic() >= self._until:
                self._last = await self._looked()
                self._until = time.monotonic() + REMEMBERED_SECONDS
            return self._last

    async def _looked(self) -> State:
        problems: dict[str, str] = {}
        steps: list[Callable[[], int | None]] = [self._database, self._release, self._index]
        release_id = None
        for name, step in zip(CHECKS, steps, strict=True):
            problems[name], value = await _checked(name, step)
            release_id = value or release_id
            if problems[name]:
                break  # what comes after it needs it
        return State(problems, release_id)

    def _database(self) -> None:
        with self._platform.database.connect() as connection:
            connection.execute(sa.select(1))

    def _release(self) -> int:
        return int(self._engine.release_info()["id"])

    def _index(self) -> None:
        # encoder, vectors, full text and rows are all needed; rights are those of nobody
        self._engine.retrieve(PROBE, Caller(authenticated=True), limit=1)


async def _checked(name: str, step: Callable[[], int | None]) -> tuple[str, int | None]:
    """What is wrong, by the name of the error: its words may speak of what is inside."""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            return "", await asyncio.to_thread(step)
    except (RaglineError, sa.exc.SQLAlchemyError, TimeoutError, OSError) as error:
        logger.warning("Not ready: %s: %s", name, error)
        return type(error).__name__, None
