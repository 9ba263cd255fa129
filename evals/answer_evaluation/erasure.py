"""Erasing a document from stored answer evaluations and from what judges said of their answers."""

from dataclasses import dataclass, field

import polars as pl

from evals.golden_questions.erasure import phrases_of
from evals.judges.schema import JUDGEMENTS
from evals.retrieval_evaluation.erasure import gold_questions
from evals.table_erasure import clean_tables, redacted
from rag_assets.erasure.base import Erased, Found, Subject
from rag_assets.erasure.redaction import Redaction
from rag_assets.platform.platform import Platform
from rag_assets.platform.wording import counted

from .results import JUDGEMENTS_TABLE
from .schema import ANSWER_RESULTS

TABLE = "answer_evaluation"


@dataclass
class _Gone:
    """Questions by evaluation: ``dropped`` went as a whole, of ``emptied`` the answer did."""

    dropped: dict[str, set[str]] = field(default_factory=dict)
    emptied: dict[str, set[str]] = field(default_factory=dict)


class AnswerEvaluationEraser:
    """Forgets answers that cite a document or repeat it, and questions that rest on it.

    It has to run before the erasers of retrieval evaluations and golden questions, which know what
    rests on the document, and of judgements, which know what was judged of it.
    """

    place = "answer evaluations"

    def find(self, platform: Platform, subject: Subject) -> Found:
        """Count the rows and judgements that rest on the document, cite it or repeat it."""
        tables, rows, traces = self._clean(platform, subject, write=False)
        return Found(f"{counted(rows, 'row')} of {counted(tables, 'table')}", traces)

    def erase(self, platform: Platform, subject: Subject) -> Erased:
        """Drop its questions; of others only what the document gave to the answer."""
        return Erased(self._clean(platform, subject, write=True)[2])

    def _clean(self, platform: Platform, subject: Subject, *, write: bool) -> tuple[int, int, int]:
        redaction, gone = phrases_of(subject), _Gone()
        gold = gold_questions(platform, subject.document_id)

        def answers(partition: str, frame: pl.DataFrame) -> pl.DataFrame:
            dropped, emptied = concerned(frame, subject.document_id, gold, redaction)
            gone.dropped[partition], gone.emptied[partition] = dropped, emptied
            left = frame.filter(~pl.col("question_id").is_in(sorted(dropped)))
            answer = pl.when(pl.col("question_id").is_in(sorted(emptied))).then(None)
            left = left.with_columns(answer=answer.otherwise(pl.col("answer")))
            return redacted(left, subject.document_id, redaction)

        def judgements(partition: str, frame: pl.DataFrame) -> pl.DataFrame:
            dropped = gone.dropped.get(partition, set())
            emptied = pl.col("sample_id").is_in(sorted(gone.emptied.get(partition, set())))
            # the key is a hash of the answer
            texts = [
                pl.when(emptied).then(pl.lit("")).otherwise(pl.col(name)).alias(name)
                for name in ("reason", "key")
            ]
            left = frame.filter(~pl.col("sample_id").is_in(sorted(dropped))).with_columns(texts)
            return redacted(left, subject.document_id, redaction)

        # judgements last, and written first: a crash between the two must not forget what was emptied
        found = clean_tables(platform, TABLE, ANSWER_RESULTS, answers, write=False)
        judged = clean_tables(platform, JUDGEMENTS_TABLE, JUDGEMENTS, judgements, write=write)
        if write:
            clean_tables(platform, TABLE, ANSWER_RESULTS, answers, write=True)
        return found[0] + judged[0], found[1] + judged[1], found[2] + judged[2]


def concerned(
    frame: pl.DataFrame, document_id: str, gold: set[str], redaction: Redaction
) -> tuple[set[str], set[str]]:
    """Which questions of ``ANSWER_RESULTS`` go, and of which only the answer does.

    Args:
        frame: the rows.
        document_id: of the document.
        gold: ``question_sha256`` of the questions that rest on it.
        redaction: of its phrases.
    """
    repeats = redaction.holding(frame["question"].to_list())
    says = redaction.holding(frame["answer"].to_list())
    rests = frame["question_sha256"].is_in(sorted(gold)).fill_null(value=False)
    cites = frame["cited"].list.contains(document_id).fill_null(value=False)
    ids = frame["question_id"].to_list()
    dropped = {name for name, one, other in zip(ids, repeats, rests, strict=True) if one or other}
    emptied = {name for name, one, other in zip(ids, says, cites, strict=True) if one or other}
    return dropped, emptied - dropped
