"""From hits to an answer: judge the evidence, read, write, check the citations, log."""

import logging
import time
import uuid
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from rag_assets.encoders import Encoder
from rag_assets.platform.errors import InvalidQuestion, RaglineError
from rag_assets.platform.platform import Platform

from .access import Caller
from .answer import Answer, Hit, Passage, Usage
from .answerers.base import Answerer, AnswererError, AnswerRequest, Draft, Token
from .answerers.extractive import ExtractiveAnswerer
from .answerers.no_answer import says_no_answer
from .context.build import build_context
from .cost import cost_usd, measured_tokens_per_second
from .degradation import Degradations
from .evidence.abstention import probability
from .evidence.citations import Checked, check_citations
from .evidence.closest import closest
from .evidence.features import features
from .evidence.vectors import RememberedVectors
from .log import AnswerLog, AnswerRecord
from .retrieval.retrieve import Retrieval
from .retrieval.search import hits_of

logger = logging.getLogger(__name__)

# how long a measured throughput of a self-hosted server is good for
MEASURED_SECONDS = 600.0
NOTHING_FOUND = "Nothing in the released documents supports an answer."


@dataclass(frozen=True)
class Reset:
    """The tokens so far are void: an answerer broke off, and another one takes over."""

    reason: str


Event = Token | Reset | Answer


@dataclass
class _Course:
    """What is known of an answer while it is being made."""

    retrieval: Retrieval
    started: float
    task: str
    asked_at: datetime
    degraded: list[str] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    passages: list[Passage] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    confidence: float | None = None
    doubtful: bool = False  # the confidence is below what the release answers from


@dataclass(frozen=True)
class _Written:
    """Who wrote an answer, what was left of it after its citations were checked, and their doubts."""

    answerer: str
    checked: Checked
    weak_evidence: bool


@dataclass(frozen=True)
class _Reading:
    """Compares and quotes sentences of the releases that one encoder made."""

    sentences: Encoder
    extractive: Answerer


class Answering:
    """Turns what a search found into an answer.

    Args:
        platform: settings and database.
        llm: where one is configured; else sentences are quoted.
        degradations: counts what failed.
        log: where answers are recorded.
    """

    def __init__(
        self,
        platform: Platform,
        llm: Answerer | None,
        degradations: Degradations,
        log: AnswerLog,
    ) -> None:
        self._platform = platform
        self._settings = platform.settings.query
        self._llm = llm
        self._readings: dict[str, _Reading] = {}
        self._degradations = degradations
        self._log = log
        self._measured = 0.0
        self._measured_at = float("-inf")

    def evidence(self, retrieval: Retrieval) -> dict[str, float]:
        """The features from which a release's model judges whether it can answer."""
        sentences = self._reading(retrieval).sentences
        return features(retrieval.question, retrieval.vector, retrieval.hits, sentences)

    def order(self, answerer: str) -> list[str]:
        """Which answerers to try, in order.

        Raises:
            InvalidQuestion: there is no such answerer, or no LLM is configured.
        """
        wanted = answerer or self._settings.answerer
        if wanted not in ("auto", "extractive", "llm"):
            raise InvalidQuestion(
                f"There is no answerer '{wanted}'.", "Choose auto, extractive or llm."
            )
        if wanted == "llm" and self._llm is None:
            raise InvalidQuestion(
                "There is no LLM to answer: llm.base_url is empty.",
                "Set llm.base_url, or ask for the extractive answerer.",
            )
        if wanted == "extractive" or self._llm is None:
            return ["extractive"]
        return ["llm", "extractive"]

    def answer(
        self,
        retrieval: Retrieval,
        caller: Caller,
        release: dict[str, Any],
        *,
        task: str = "",
        answerer: str = "",
        filter: str = "",
    ) -> Generator[Event, None, list[Passage]]:
        """Yield tokens, then the checked answer, return what was read; see ``QueryEngine.stream``."""
        names = self.order(answerer)
        task = task or self._settings.task
        course = _Course(retrieval, time.perf_counter(), task, datetime.now(UTC))
        course.degraded += retrieval.degraded
        written: _Written | None = None
        if retrieval.hits and not self._abstains(course):
            written = yield from self._first_that_works(names, course)
        if written is None:
            final = self._abstention(course, release)
            yield Token(final.answer)
        else:
            final = self._answered(course, release, written)
        yield self._logged(final, course, caller, filter)
        return course.passages

    def _reading(self, retrieval: Retrieval) -> _Reading:
        """What reads the passages of a release: with its own encoder, as its chunks were."""
        encoder = retrieval.snapshot.encoder
        if encoder.fingerprint not in self._readings:
            # evidence, answer and citations look at the same sentences: each is encoded once
            sentences = cast(Encoder, RememberedVectors(encoder))
            self._readings[encoder.fingerprint] = _Reading(sentences, ExtractiveAnswerer(sentences))
        return self._readings[encoder.fingerprint]

    def _answerer(self, name: str, retrieval: Retrieval) -> Answerer:
        if name == "llm" and self._llm is not None:
            return self._llm
        return self._reading(retrieval).extractive

    def _abstains(self, course: _Course) -> bool:
        """Judge the evidence, where the release has learned how."""
        model = course.retrieval.parameters.abstention
        if model is None:
            return False
        started = time.perf_counter()
        course.confidence = probability(model, self.evidence(course.retrieval))
        course.timings["evidence"] = _milliseconds(started)
        course.doubtful = course.confidence < model.threshold
        return self._settings.abstain and course.doubtful

    def _first_that_works(
        self, names: Sequence[str], course: _Course
    ) -> Generator[Token | Reset, None, _Written | None]:
        """Let one answerer after the other try; None when nothing in the passages answers."""
        for name in names:
            last = name == names[-1]
            started = time.perf_counter()
            try:
                draft = yield from self._drafted(name, course)
            except AnswererError as error:
                if last:
                    raise
                logger.warning("The answerer '%s' was left out: %s", name, error)
                yield self._reset(course, f"{name}_{error.kind}")
                continue
            finally:
                course.timings[f"answer_{name}"] = _milliseconds(started)
            course.drafts.append(draft)
            checked = check_citations(
                draft, course.passages, self._reading(course.retrieval).sentences
            )
            if checked.removed:
                course.degraded.append(self._degradations.add("citations_removed"))
            if draft.finish_reason == "length":
                course.degraded.append(self._degradations.add("answer_cut"))
            if checked.citations:
                if name == "extractive":
                    yield Token(checked.text)
                who = self._answerer(name, course.retrieval).name
                return _Written(who, checked, course.doubtful or draft.weak_evidence)
            if last or says_no_answer(draft.text):
                return None
            # a text that cites nothing cannot be traced to anything
            yield self._reset(course, f"{name}_uncited")
        return None

    def _reset(self, course: _Course, reason: str) -> Reset:
        course.degraded.append(self._degradations.add(reason))
        return Reset(reason)

    def _drafted(self, name: str, course: _Course) -> Generator[Token, None, Draft]:
        """Read the passages and pass an LLM's tokens on; quotes wait until they are numbered."""
        retrieval, answerer = course.retrieval, self._answerer(name, course.retrieval)
        llm = name == "llm"
        started = time.perf_counter()
        context = build_context(
            retrieval.hits,
            self._settings,
            lambda ordinals: self._fetch(retrieval, ordinals),
            answerer.count_tokens,
            neighbours=self._settings.neighbours if llm else 0,
            budget=self._settings.context_tokens,
        )
        course.passages = context.passages
        # that of the first answerer: another one that takes over has less to read
        course.timings.setdefault("context", _milliseconds(started))
        if context.cut:
            course.degraded.append(self._degradations.add("passage_cut"))
        request = AnswerRequest(retrieval.question, retrieval.vector, course.passages, course.task)
        with closing(answerer.answer(request)) as events:  # type: ignore[type-var]
            for event in events:
                if isinstance(event, Draft):
                    return event
                if llm:
                    course.timings.setdefault("first_token", _milliseconds(started))
                    yield event
        raise AssertionError("an answerer ends with a draft")

    @staticmethod
    def _fetch(retrieval: Retrieval, ordinals: Mapping[str, Sequence[int]]) -> list[Hit]:
        """Neighbours of hits, with the rights and the filter of the search itself."""
        reader = retrieval.snapshot.reader
        return hits_of(reader.neighbours(ordinals, retrieval.condition))

    def _answered(self, course: _Course, release: dict[str, Any], written: _Written) -> Answer:
        checked = written.checked
        return self._finished(
            course,
            release,
            answer=checked.text,
            abstained=False,
            citations=checked.citations,
            support=checked.support,
            answerer=written.answerer,
            weak_evidence=written.weak_evidence,
        )

    def _abstention(self, course: _Course, release: dict[str, Any]) -> Answer:
        """Say that nothing supports an answer, why, and what came closest."""
        model, confidence = course.retrieval.parameters.abstention, course.confidence
        text = NOTHING_FOUND
        if model is not None and confidence is not None and confidence < model.threshold:
            text += (
                f" The evidence was judged {confidence:.0%} likely to hold one; "
                f"this release answers from {model.threshold:.0%}."
            )
        retrieval = course.retrieval
        # the log names what was judged, although no answerer has read it
        course.passages = course.passages or [
            Passage(number, hit, (hit,)) for number, hit in enumerate(retrieval.hits, start=1)
        ]
        sentences = self._reading(retrieval).sentences
        nearest = closest(retrieval.question, retrieval.vector, retrieval.hits, sentences)
        return self._finished(course, release, answer=text, abstained=True, closest=nearest)

    def _finished(self, course: _Course, release: dict[str, Any], **values: Any) -> Answer:
        timings = {**course.retrieval.timings_ms, **course.timings}
        timings["total"] = round(
            course.retrieval.timings_ms["retrieve"] + _milliseconds(course.started), 3
        )
        values.setdefault("citations", [])
        return Answer(
            answer_id=uuid.uuid4().hex,
            release=release,
            usage=self._usage(course.drafts),
            timings_ms=timings,
            degraded=course.degraded,
            confidence=None if course.confidence is None else round(course.confidence, 4),
            **values,
        )

    def _usage(self, drafts: Sequence[Draft]) -> Usage:
        """Tokens of every draft, the discarded ones included: they were paid for."""
        cost = self._platform.settings.cost
        measured = self._throughput() if any(draft.model for draft in drafts) else 0.0
        return Usage(
            sum(draft.prompt_tokens for draft in drafts),
            sum(draft.completion_tokens for draft in drafts),
            sum(
                cost_usd(
                    draft.model,
                    draft.prompt_tokens,
                    draft.completion_tokens,
                    cost,
                    measured=measured,
                )
                for draft in drafts
                if draft.model
            ),
        )

    def _throughput(self) -> float:
        """Tokens per second of a self-hosted server, from the log of the last day; cached."""
        cost = self._platform.settings.cost
        if not cost.gpu_hour_usd or cost.gpu_tokens_per_second:
            return 0.0
        if time.monotonic() - self._measured_at > MEASURED_SECONDS:
            now = datetime.now(UTC)
            try:
                records = self._log.between(now - timedelta(days=1), now)
                self._measured = measured_tokens_per_second(records)
            except RaglineError as error:
                logger.warning("The throughput is not known: %s", error)
            self._measured_at = time.monotonic()
        return self._measured

    def _logged(self, answer: Answer, course: _Course, caller: Caller, filter: str) -> Answer:
        """Record the answer; a log that fails costs the lineage, never the answer."""
        started = time.perf_counter()
        try:
            self._log.record(
                AnswerRecord.of(
                    answer,
                    question=course.retrieval.question,
                    caller=caller,
                    passages=course.passages,
                    asked_at=course.asked_at,
                    filter=filter or None,
                    task=course.task,
                    model=course.drafts[-1].model if course.drafts else "",
                    parameters=course.retrieval.parameters.to_dict(),
                )
            )
        except RaglineError as error:
            logger.warning("Answer %s was not recorded: %s", answer.answer_id, error)
            answer.degraded.append(self._degradations.add("log_failed"))
        answer.timings_ms["log"] = _milliseconds(started)
        return answer


def _milliseconds(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)
