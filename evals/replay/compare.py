"""Two releases' replies to the same questions, side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from evals.answer_evaluation.overlap import normalized_tokens, token_f1

from .ask import Reply
from .overlap import document_overlap, jaccard, passage_overlap
from .questions import RealQuestion
from .schema import REPLAYED


def compare_replies(
    questions: Sequence[RealQuestion],
    now: Mapping[str, Reply],
    before: Mapping[str, Reply],
    *,
    same_parser: bool,
) -> pl.DataFrame:
    """What became of every question.

    Args:
        questions: what was asked.
        now, before: question_id → reply, of the candidate and of the release it is compared with.
        same_parser: whether the same parser made the texts of both releases.

    Returns:
        ``REPLAYED``, in the order of the questions.
    """
    rows = []
    for question in questions:
        mine, theirs = now[question.question_id], before[question.question_id]
        rows.append(
            {
                **_asked(question),
                **_side(mine),
                **{f"baseline_{name}": value for name, value in _side(theirs).items()},
                **_changes(mine, theirs, same_parser=same_parser),
            }
        )
    return pl.DataFrame(rows, schema=REPLAYED)


def _asked(question: RealQuestion) -> dict[str, Any]:
    return {
        "question_id": question.question_id,
        "question": question.question,
        "asked_at": question.asked_at,
        "times": question.times,
        "groups": sorted(question.caller.groups),
        "admin": question.caller.admin,
        "authenticated": question.caller.authenticated,
        "filter": question.filter,
    }


def _side(reply: Reply) -> dict[str, Any]:
    answer = reply.answer
    return {
        "documents": list(reply.found.documents),
        "answer": answer.answer if answer else None,
        "abstained": answer.abstained if answer else None,
        "cited": reply.cited,
        "confidence": answer.confidence if answer else None,
        "milliseconds": reply.milliseconds if answer else None,
        "error": reply.error,
    }


def _changes(now: Reply, before: Reply, *, same_parser: bool) -> dict[str, Any]:
    """What changed; nothing is known where either ended in an error."""
    if now.answer is None or before.answer is None:
        return {}
    mine, theirs = now.found.named_as(before.found), before.found
    names = dict(zip(now.found.documents, mine.documents, strict=True))
    said, before_said = now.answer.answer, before.answer.answer
    return {
        "overlap": passage_overlap(mine, theirs, same_parser=same_parser),
        "document_overlap": document_overlap(mine, theirs),
        "document_jaccard": jaccard(mine.documents, theirs.documents),
        "top_changed": mine.documents[:1] != theirs.documents[:1],
        "answer_f1": token_f1(said, before_said),
        "answer_changed": normalized_tokens(said) != normalized_tokens(before_said),
        "newly_abstained": now.answer.abstained and not before.answer.abstained,
        "newly_answered": before.answer.abstained and not now.answer.abstained,
        "citations_changed": {names.get(item, item) for item in now.cited} != set(before.cited),
    }
