"""Feedback that waits for a person: what it would become as a golden question."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from rag_assets.platform.platform import Platform
from rag_assets.query.log import AnswerLog, AnswerRecord
from rag_assets.service_records.feedback import Feedback, FeedbackStore

from .feedback import Correction, Evidence, question_from_answer


@dataclass(frozen=True)
class Candidate:
    """One piece of feedback beside the answer it is about.

    Attributes:
        said: the feedback.
        record: of the answer; None where the log does not have it (any more).
        evidence: what the reader says answers the question: the passages they named, or those that the
            answer cites when they found it helpful; None where only a person can tell.
        problem: why it cannot become a question as it is; empty when it can.
    """

    said: Feedback
    record: AnswerRecord | None
    evidence: tuple[Evidence, ...] | None
    problem: str

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        evidence = self.evidence
        return {
            **self.said.to_dict(),
            "question": self.record.question if self.record else None,
            "abstained": self.record.abstained if self.record else None,
            "evidence": None
            if evidence is None
            else [{"document_id": item.document_id, "quote": item.quote} for item in evidence],
            "problem": self.problem,
        }


def candidates(platform: Platform, *, decided: bool = False) -> list[Candidate]:
    """The feedback that waits for a decision, oldest first.

    Args:
        platform: the deployment.
        decided: list what was decided about, too.
    """
    log = AnswerLog(platform.database)
    said = FeedbackStore(platform.database).listed(None if decided else "new")
    records = {name: log.get(name) for name in {item.answer_id for item in said}}
    return [candidate_of(item, records[item.answer_id]) for item in said]


def candidate_of(said: Feedback, record: AnswerRecord | None) -> Candidate:
    """What a piece of feedback would become."""
    evidence = _evidence(said, record)
    if record is None:
        problem = "the answer is not in the query log any more"
    elif record.question is None:
        problem = "the query log keeps no texts"
    elif evidence is None:
        problem = "nobody said which documents answer it"
    else:
        problem = ""
    return Candidate(said, record, evidence, problem)


def line_of(
    candidate: Candidate, evidence: Sequence[Evidence] | None, by: str, at: datetime
) -> dict[str, Any]:
    """The line of a golden set that a candidate becomes.

    Args:
        candidate: with a record.
        evidence: what the person says answers it; None takes the reader's word.
        by: the person.
        at: when they decided.

    Raises:
        QuestionSetError: the log does not have the question.
    """
    assert candidate.record is not None
    named = candidate.evidence if evidence is None else tuple(evidence)
    assert named is not None
    correction = Correction(named, by=by, comment=candidate.said.comment, at=at)
    line = question_from_answer(candidate.record, correction)
    return {**line, "provenance": {**line["provenance"], "feedback_id": candidate.said.feedback_id}}


def _evidence(said: Feedback, record: AnswerRecord | None) -> tuple[Evidence, ...] | None:
    if said.corrected_citations:
        named = [Evidence(item["document_id"], item["quote"]) for item in said.corrected_citations]
        return tuple(dict.fromkeys(named))
    if record is None or said.rating <= 0:
        return None
    if record.abstained:  # it was right to say that nothing answers
        return ()
    # hashed logs name the documents, without their words
    cited = [Evidence(item["document_id"], item.get("quote")) for item in record.citations]
    return tuple(dict.fromkeys(replace(item, quote=item.quote or None) for item in cited))
