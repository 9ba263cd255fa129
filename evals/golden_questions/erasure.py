"""Erasing a document from the table ``golden_questions``, and what its questions are."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from rag_assets.erasure.base import Erased, Found, Subject
from rag_assets.erasure.redaction import SHORTEST_CUT, Redaction, leaves
from rag_assets.platform.fingerprint import frame_digest
from rag_assets.platform.platform import Platform
from rag_assets.platform.wording import counted

from .collect import ASSET, KEY, question_hashes, questions_version, read_golden_questions
from .known_items import ask_for, informative_sentences
from .schema import RESOLVED_QUESTIONS

Row = Mapping[str, Any]


def asked_of(subject: Subject) -> tuple[str, ...]:
    """The questions that known items would make of a document: words of its own, in its order."""
    redaction = Redaction(subject.phrases)
    sentences = {found for text in subject.texts for found in informative_sentences(text)}
    own = [sentence for sentence in sorted(sentences) if redaction.has(sentence)]
    return tuple(asked for asked in map(ask_for, own) if len(asked) >= SHORTEST_CUT)


def phrases_of(subject: Subject) -> Redaction:
    """What evaluations may repeat of a document: its phrases, and questions made of them."""
    return Redaction([*subject.phrases, *asked_of(subject)])


def without_document(row: Row, document_id: str, redaction: Redaction) -> Row | None:
    """A golden question without a document; None where nothing is left of it.

    Args:
        row: with the fields of a golden question; further ones are kept.
        document_id: of the document.
        redaction: of its phrases.

    Returns:
        the row itself where it has nothing to do with the document; None for a question that rests on
        it alone, since its answer is what the document says, or that repeats it.
    """
    relevant = row.get("relevant") or []
    left = [item for item in relevant if item["document_id"] != document_id]
    if (relevant and not left) or redaction.has(row["question"]):
        return None
    new = dict(row)
    if relevant:
        new["relevant"] = [_unquoted(item, redaction) for item in left]
    if row.get("forbidden"):
        new["forbidden"] = [name for name in row["forbidden"] if name != document_id]
    for name, nothing in (("answer", None), ("provenance", None), ("evidence_note", "")):
        if row.get(name) and (redaction.has(row[name]) or _names(row[name], document_id)):
            new[name] = nothing
    return row if new == row else new


def _unquoted(item: Row, redaction: Redaction) -> Row:
    """Evidence of another document, whose quote may be what it said before."""
    return {**item, "quote": None} if item.get("quote") and redaction.has(item["quote"]) else item


def _names(value: Any, document_id: str) -> bool:
    return any(document_id == leaf or f"{document_id} " in leaf for leaf in leaves(value))


class GoldenQuestionsEraser:
    """Forgets the questions that a document answers, in the table of the asset."""

    place = "golden questions"

    def find(self, platform: Platform, subject: Subject) -> Found:
        """Count the questions that rest on the document or repeat it."""
        frame = read_golden_questions(platform)
        gone, changed, _ = _cleaned(frame, subject)
        return Found(counted(frame.height, "question"), gone + changed)

    def erase(self, platform: Platform, subject: Subject) -> Erased:
        """Write the table without them; the stamp follows."""
        frame = read_golden_questions(platform)
        gone, changed, left = _cleaned(frame, subject)
        stamp = platform.tables.stamp(ASSET, "")
        if stamp is None or not gone + changed:
            return Erased(0)
        facts = {**stamp.facts, "questions": left.height, "version": questions_version(left)}
        digest = frame_digest(left, left.columns, KEY)
        platform.tables.write(ASSET, "", left, replace(stamp, digest=digest, facts=facts))
        return Erased(gone + changed)


def _cleaned(frame: pl.DataFrame, subject: Subject) -> tuple[int, int, pl.DataFrame]:
    """How many questions go, how many change, and the table that is left."""
    redaction, left, changed = phrases_of(subject), [], 0
    rows = frame.rows(named=True)
    held = redaction.holding(rows)
    for row, holds in zip(rows, held, strict=True):
        named = holds or _names(row, subject.document_id)
        new = without_document(row, subject.document_id, redaction) if named else row
        if new is not None:
            changed += new is not row
            left.append(new)
    table = pl.DataFrame(left, schema=RESOLVED_QUESTIONS, orient="row")
    gone = frame.height - table.height
    return gone, changed, table.with_columns(question_hashes(table)) if changed else table


def gold_of(questions: pl.DataFrame, document_id: str) -> set[str]:
    """``question_sha256`` of the questions that rest on a document.

    Args:
        questions: ``RESOLVED_QUESTIONS``.
    """
    names = pl.col("relevant").list.eval(pl.element().struct.field("document_id"))
    mine = questions.filter(names.list.contains(document_id))
    return set(mine["question_sha256"].drop_nulls())
