"""From answers to rows: every score that needs no judge.

A score is null where it does not apply. Where the evidence of a question is not what it was when the
question was written, its reference answer and its verdict may be wrong too: such a question is
answered and shown, with its state in ``evidence``, and counts in no score but ``support``. An
abstention is an empty answer: where there is a right one, it shares nothing with it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from evals.golden_questions.resolve import SearchableText, read_quoted_chunks
from evals.retrieval_evaluation.retrieve import Progress
from rag_assets.encoders import Encoder
from rag_assets.query.answer import Answer, Passage
from rag_assets.query.evidence.markers import without_dangling
from rag_assets.vector_index.reader import IndexReader

from .answering import Asked
from .citation_scores import (
    Find,
    citation_precision,
    citation_recall,
    cited_places,
    finder,
    gold_places,
)
from .contexts import ContextQuestion, context_scores
from .overlap import RougeL, token_f1
from .schema import ANSWER_RESULTS
from .similarity import similarities

Row = dict[str, Any]


class Evidence:
    """The documents of one release that hold the evidence of a question set.

    Args:
        documents: document_ids of the release.
        chunks: of the quoted documents; columns as of ``resolve.read_quoted_chunks``.
    """

    def __init__(self, documents: Iterable[str], chunks: pl.DataFrame) -> None:
        self._documents = frozenset(documents)
        self.find: Find = finder(
            {
                str(key[0]): SearchableText(frame.select("char_start", "text").rows())
                for key, frame in chunks.group_by("document_id")
            }
        )

    @classmethod
    def read(cls, questions: pl.DataFrame, reader: IndexReader) -> "Evidence":
        """Read what a question set quotes from a release."""
        documents = reader.documents()["document_id"]
        return cls(documents, read_quoted_chunks(questions, reader))

    def state(self, relevant: Sequence[Mapping[str, Any]], now: str | None = None) -> str:
        """What became of a question's evidence; see ``RESOLVED_QUESTIONS.evidence``.

        Args:
            relevant: of the question.
            now: its state in the current documents, which tells unknown from deleted.
        """
        if not relevant:
            return "none"
        if any(item["document_id"] not in self._documents for item in relevant):
            return "unknown" if now == "unknown" else "deleted"
        return "changed" if gold_places(relevant, self.find) is None else "current"


def score_answers(
    questions: pl.DataFrame,
    asked: Mapping[str, Asked],
    evidence: Evidence,
    encoder: Encoder,
    progress: Progress,
) -> pl.DataFrame:
    """Score every answer.

    Args:
        questions: ``GOLDEN_QUESTIONS`` or ``RESOLVED_QUESTIONS``; ``question_id`` is unique.
        asked: question → what became of it.
        evidence: in the release that answered.
        encoder: compares answers with references.

    Returns:
        ``ANSWER_RESULTS``, in the order of the questions.
    """
    rows = [_row(item, asked[item["question_id"]], evidence) for item in questions.to_dicts()]
    _add_citation_scores(rows, questions, asked, evidence.find)
    _add_reference_scores(rows, encoder, progress)
    _add_context_scores(rows, questions, asked, progress)
    return pl.DataFrame(rows, schema=ANSWER_RESULTS, orient="row")


def stripped(answer: str) -> str:
    """An answer's text without its citation markers."""
    return without_dangling(answer, ())[0].strip()


def best_first(passages: Sequence[Passage]) -> tuple[str, ...]:
    """The texts of passages in the order of their scores: readers get them in another one."""
    ranked = sorted(passages, key=lambda passage: -passage.hit.score)
    return tuple(passage.text for passage in ranked)


def _row(question: Row, asked: Asked, evidence: Evidence) -> Row:
    known = {name: question.get(name) for name in ("origin", "question_sha256", "groups")}
    row: Row = {
        **dict.fromkeys(ANSWER_RESULTS),
        **known,
        "question_id": question["question_id"],
        "question": question["question"],
        "tags": question["tags"],
        "answerable": question["answerable"],
        "evidence": evidence.state(question["relevant"], question.get("evidence")),
        "reference": question["answer"],
        "cited": [],
        "degraded": [],
        "latency_ms": asked.milliseconds,
        "error": asked.error,
    }
    if asked.answer is not None:
        row.update(_of_answer(asked.answer))
        if _counts(row):
            row["abstention"] = float(asked.answer.abstained != question["answerable"])
    return row


def _of_answer(answer: Answer) -> Row:
    kind, _, model = answer.answerer.partition(":")
    return {
        "answer": answer.answer,
        "abstained": answer.abstained,
        "cited": list(dict.fromkeys(item.document_id for item in answer.citations)),
        "support": _mean([item.score for item in answer.support]),
        "answerer": kind,
        "model": model,
        "prompt_tokens": answer.usage.prompt_tokens,
        "completion_tokens": answer.usage.completion_tokens,
        "cost_usd": answer.usage.cost_usd,
        "degraded": list(answer.degraded),
    }


def _counts(row: Row) -> bool:
    """Whether there is an answer, and a verdict on it that still holds."""
    return not row["error"] and row["evidence"] in ("current", "none")


def _answerable(row: Row) -> bool:
    return _counts(row) and bool(row["answerable"])


def _add_citation_scores(
    rows: Sequence[Row], questions: pl.DataFrame, asked: Mapping[str, Asked], find: Find
) -> None:
    for row, relevant in zip(rows, questions["relevant"].to_list(), strict=True):
        answer = asked[row["question_id"]].answer
        gold = gold_places(relevant, find) if relevant and _answerable(row) else None
        if answer is None or gold is None:
            continue
        cited = [cited_places(citation, find) for citation in answer.citations]
        row["citation_precision"] = citation_precision(gold, cited)
        row["citation_recall"] = citation_recall(gold, cited)


def _add_reference_scores(rows: Sequence[Row], encoder: Encoder, progress: Progress) -> None:
    chosen = [row for row in rows if _answerable(row) and (row["reference"] or "").strip()]
    if not chosen:
        return
    answers = ["" if row["abstained"] else stripped(row["answer"]) for row in chosen]
    references = [row["reference"] for row in chosen]
    rouge_l = RougeL()
    near = similarities(encoder, answers, references).tolist()
    for done, (row, answer, cosine) in enumerate(zip(chosen, answers, near, strict=True), start=1):
        row["token_f1"] = token_f1(answer, row["reference"])
        row["rouge_l"] = rouge_l(answer, row["reference"])
        row["similarity"] = cosine
        progress("comparing with references", done, len(chosen))


def _add_context_scores(
    rows: Sequence[Row],
    questions: pl.DataFrame,
    asked: Mapping[str, Asked],
    progress: Progress,
) -> None:
    chosen: list[tuple[Row, ContextQuestion]] = []
    for row, relevant in zip(rows, questions["relevant"].to_list(), strict=True):
        quotes = tuple(item["quote"] for item in relevant if item["quote"] is not None)
        if quotes and _answerable(row):
            passages = best_first(asked[row["question_id"]].passages)
            chosen.append((row, ContextQuestion(passages, quotes)))
    scores = context_scores([question for _, question in chosen])
    for (row, _), score in zip(chosen, scores, strict=True):
        row["context_precision"], row["context_recall"] = score
    if chosen:
        progress("scoring contexts", len(chosen), len(chosen))


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
