"""Whether the evidence of questions is still there: a question is flagged, never silently wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from .documents import KnownDocuments

# from bad to good: a question is as its worst piece of evidence
STATES = ("unknown", "deleted", "changed", "current", "none")
FLAGGED = STATES[:3]
SHOWN_QUOTE = 120  # characters


def with_evidence(questions: pl.DataFrame, documents: KnownDocuments) -> pl.DataFrame:
    """Look for what every question rests on.

    Args:
        questions: with the column ``relevant``.
        documents: as they are now.

    Returns:
        The same with ``evidence`` (one of ``STATES``) and ``evidence_note``.
    """
    found = [judge(relevant, documents) for relevant in questions["relevant"].to_list()]
    return questions.with_columns(
        pl.Series("evidence", [state for state, _ in found], pl.String()),
        pl.Series("evidence_note", [note for _, note in found], pl.String()),
    )


def flagged(questions: pl.DataFrame) -> pl.DataFrame:
    """The questions of ``RESOLVED_QUESTIONS`` whose evidence is not what it was."""
    return questions.filter(pl.col("evidence").is_in(FLAGGED))


def judge(
    relevant: Sequence[Mapping[str, Any]] | None, documents: KnownDocuments
) -> tuple[str, str]:
    """The state of all evidence of one question, and what was not found, in words."""
    judged = [_judge_item(item, documents) for item in relevant or []]
    if not judged:
        return "none", ""
    worst = min((state for state, _ in judged), key=STATES.index)
    return worst, "; ".join(dict.fromkeys(note for _, note in judged if note))


def _judge_item(item: Mapping[str, Any], documents: KnownDocuments) -> tuple[str, str]:
    document, quote = str(item["document_id"]), item["quote"]
    if document not in documents.present:
        if document in documents.once:
            return "deleted", f"the document {document} is gone"
        return "unknown", f"there never was a document {document}"
    if document not in documents.texts and documents.present[document] != "parsed":
        return "changed", f"{document} has no text now ({documents.present[document] or 'pending'})"
    if quote is not None and not documents.says(document, quote):
        return "changed", f"{document} does not say: {_shortened(quote)}"
    return "current", ""


def _shortened(quote: str) -> str:
    quote = " ".join(quote.split())
    return quote if len(quote) <= SHOWN_QUOTE else quote[: SHOWN_QUOTE - 1] + "…"
