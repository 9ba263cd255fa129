"""A query engine that gives an answer again to those who would get the same one."""

import logging
import time
import uuid
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from sqlalchemy.exc import SQLAlchemyError

from rag_assets.platform import interruption
from rag_assets.platform.errors import RaglineError
from rag_assets.platform.platform import Platform
from rag_assets.platform.telemetry import step
from rag_assets.query.access import Caller
from rag_assets.query.answer import Answer, Token, Usage
from rag_assets.query.answering import Event
from rag_assets.query.engine import QueryEngine
from rag_assets.query.log import AnswerLog

from .coding import Kept, decode, encode
from .keys import Key, Keys
from .shared import Caches

logger = logging.getLogger(__name__)

# another process that makes the same answer is waited for at most so long, and looked after so often
CLAIM_SECONDS = 30.0
OTHERS_SECONDS = 10.0
LOOK_SECONDS = 0.05
# answers that take more are made anew
MOST_BYTES = 1_000_000


class CachedEngine:
    """Has the public methods of ``QueryEngine``; ``ask`` and ``stream`` may come from the cache.

    What is degraded or fails is never kept; that nothing supports an answer is. An answer from the
    cache has an id, a log entry and a lineage of its own; the entry names the answer it repeats.

    Args:
        engine: that answers what is not known.
        platform: the deployment.
        caches: shared with other engines of the process; default: its own.
    """

    def __init__(
        self, engine: QueryEngine, platform: Platform, caches: Caches | None = None
    ) -> None:
        self._engine = engine
        self._caches = caches or Caches(platform)
        self._keys = Keys(platform)
        self._mode = platform.settings.query.log
        self._log = AnswerLog(platform.database, self._mode, platform.log_database)
        self._patience = platform.settings.llm.total_seconds
        engine.remember_vectors(self._caches.vectors.encode)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def ask(self, question: str, caller: Caller, limit: int | None = None, **wishes: str) -> Answer:
        """See ``QueryEngine.ask``."""
        for event in self.stream(question, caller, limit, **wishes):
            if isinstance(event, Answer):
                return event
        raise AssertionError("a stream ends with an answer")

    def stream(
        self, question: str, caller: Caller, limit: int | None = None, **wishes: str
    ) -> Generator[Event, None, None]:
        """See ``QueryEngine.stream``; an answer from the cache comes as one ``Token``."""
        started = time.perf_counter()
        # a request to forget that came since is seen when the answer's entry is written
        seen = "" if self._mode == "off" else self._caches.generation
        key = self._key(question, caller, limit, wishes, seen)
        answer = self._known(key, caller, started)
        if answer is None and seen:
            stale, key = key, self._key(question, caller, limit, wishes)
            if stale is not None and key is not None and stale.text != key.text:
                answer = self._known(key, caller, started)
        if answer is None:
            if key is None:
                yield from self._engine.stream(question, caller, limit, **wishes)
                return
            with self._making(key) as meanwhile:
                answer = self._repeated(key, meanwhile, caller, started)
                if answer is None:
                    yield from self._asked(key, question, caller, limit, wishes)
                    return
        yield Token(answer.answer)
        answer.timings_ms["total"] = _milliseconds(started)
        yield answer

    def _known(self, key: Key | None, caller: Caller, started: float) -> Answer | None:
        return None if key is None else self._repeated(key, self._found(key), caller, started)

    def _key(
        self,
        question: str,
        caller: Caller,
        limit: int | None,
        wishes: dict[str, str],
        generation: str = "",
    ) -> Key | None:
        """The key of a question; None where the cache must not speak."""
        try:
            snapshot = self._engine.snapshot()
            # what stands in for the live release says so in every answer
            if snapshot.fallback:
                return None
            key = self._keys.of(snapshot, question, caller, limit, generation, **wishes)
        except (RaglineError, SQLAlchemyError, OSError) as error:
            # whatever it is, the engine meets it too and says it in its own words
            logger.debug("The cache is passed by: %s", type(error).__name__)
            return None
        self._caches.of_generation(key.generation)
        return key

    def _found(self, key: Key) -> Kept | None:
        with step("look into cache") as told:
            kept = decode(self._caches.answers.get(key.text))
            self._caches.count("answers", "miss" if kept is None else "hit")
            if kept is None and self._caches.similar is not None:
                kept = self._similar(key)
                self._caches.count("semantic", "miss" if kept is None else "hit")
            told.set({"ragline.cache_hit": kept is not None})
        return kept

    def _similar(self, key: Key) -> Kept | None:
        assert self._caches.similar is not None
        other = self._caches.similar.nearest(key.scope, key.question, self._vector(key))
        return decode(self._caches.answers.get(other)) if other else None

    def _vector(self, key: Key) -> np.ndarray:
        vectors: np.ndarray = self._caches.vectors.encode(key.snapshot.encoder, [key.question])
        return vectors[0]

    @contextmanager
    def _making(self, key: Key) -> Generator[Kept | None, None, None]:
        """Make an answer, unless another process has made it meanwhile: then that is given."""
        answers = self._caches.answers
        with self._caches.flights.making(key.text) as first:
            if not first:
                self._caches.flights.wait(key.text, self._patience)
                # what could not be kept, e.g. because an LLM is down, everybody makes on their own
                yield decode(answers.get(key.text))
                return
            claimed, kept = answers.claim(key.text, CLAIM_SECONDS), None
            until = time.monotonic() + OTHERS_SECONDS
            while not claimed and kept is None and time.monotonic() < until:
                interruption.sleep(LOOK_SECONDS)
                kept = decode(answers.get(key.text))
                claimed = kept is None and answers.claim(key.text, CLAIM_SECONDS)
            try:
                yield kept
            finally:
                if claimed:
                    answers.release(key.text)

    def _asked(
        self,
        key: Key,
        question: str,
        caller: Caller,
        limit: int | None,
        wishes: dict[str, str],
    ) -> Generator[Event, None, None]:
        """Let the engine answer, and keep what it says if it would say it again."""
        stream = self._engine.stream(question, caller, limit, **wishes)
        with closing(stream) as events:  # type: ignore[type-var]
            for event in events:
                if isinstance(event, Answer) and not event.degraded:
                    same = self._key(question, caller, limit, wishes)
                    # a release, an ACL or a request to forget may have come in between
                    if same is not None and same.text == key.text:
                        self._keep(key, event)
                yield event

    def _keep(self, key: Key, answer: Answer) -> None:
        if answer.release["id"] != key.snapshot.release.id:
            return
        parameters = None
        if self._mode != "off":
            try:
                record = self._log.get(answer.answer_id)
            except RaglineError as error:
                logger.warning("Answer %s is not kept: %s", answer.answer_id, error)
                return
            if record is None:
                return  # its repetitions could not be traced back
            parameters = record.parameters
        content = encode(Kept(answer, parameters))
        if len(content) > MOST_BYTES:
            return
        self._caches.answers.set(key.text, content)
        if self._caches.similar is not None and not answer.abstained:
            self._caches.similar.add(key.scope, key.question, self._vector(key), key.text)

    def _repeated(
        self, key: Key, kept: Kept | None, caller: Caller, started: float
    ) -> Answer | None:
        """An answer that is known, as a new one; None where it could not be traced any more."""
        if kept is None:
            return None
        answer = replace(
            kept.answer,
            answer_id=uuid.uuid4().hex,
            release=self._engine.release_info(key.snapshot),
            usage=Usage(),
            timings_ms={"cache": _milliseconds(started)},
        )
        return answer if self._record(key, kept, answer, caller) else None

    def _record(self, key: Key, kept: Kept, answer: Answer, caller: Caller) -> bool:
        """Write the log entry of a repeated answer; a log that fails costs the lineage only.

        Returns:
            Whether the answer may be given: the entry of the one it repeats is still there, and
            nothing was asked to be forgotten since.
        """
        if kept.parameters is None:
            return True
        began = time.perf_counter()
        try:
            allowed = self._log.repeat(
                kept.answer.answer_id,
                answer.answer_id,
                question=key.question,
                caller=caller,
                timings_ms=dict(answer.timings_ms),
                parameters=kept.parameters,
                generation=key.generation,
            )
        except RaglineError as error:
            allowed = self._still_of(key)
            logger.warning("Answer %s was not recorded: %s", answer.answer_id, error)
            answer.degraded.append(self._engine.degradations.add("log_failed"))
        answer.timings_ms["log"] = _milliseconds(began)
        return allowed

    def _still_of(self, key: Key) -> bool:
        """Whether nothing was asked to be forgotten since a key was made, as far as can be said."""
        try:
            return self._keys.generation() == key.generation
        except (SQLAlchemyError, OSError) as error:
            logger.debug("Nobody knows what is to be forgotten: %s", type(error).__name__)
            return False


def _milliseconds(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)
