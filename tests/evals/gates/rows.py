"""Hand-made evaluations: rows of two releases, side by side."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from evals.answer_evaluation.schema import ANSWER_RESULTS
from evals.evaluations import Evaluation
from evals.gates.retrieval_quality import Evaluated
from evals.golden_questions.collect import questions_version
from evals.golden_questions.schema import RESOLVED_QUESTIONS
from evals.judges.schema import JUDGEMENTS
from evals.retrieval_evaluation.schema import RETRIEVAL_RESULTS

LIVE, CANDIDATE = 1, 2


def sha(dataset: str, number: int) -> str:
    """What names a question of a set."""
    return hashlib.sha256(f"{dataset} {number}".encode()).hexdigest()


def frame(schema: pl.Schema, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """A table of a schema, null where a row says nothing."""
    return pl.DataFrame([{**dict.fromkeys(schema), **row} for row in rows], schema=schema)


def questions(dataset: str, count: int, **values: Any) -> pl.DataFrame:
    """``RESOLVED_QUESTIONS`` of one set that gates."""
    values = {"origin": "golden", "evidence": "current", "half": "report", **values}
    common = {"dataset": dataset, "gate": True, "answerable": True, **values}
    rows = [
        {
            "question_id": f"q{number}",
            "question": f"what is {number}?",
            "question_sha256": sha(dataset, number),
            **common,
        }
        for number in range(count)
    ]
    return frame(RESOLVED_QUESTIONS, rows)


def results(
    dataset: str, before: Sequence[float | None], now: Sequence[float | None], **values: Any
) -> pl.DataFrame:
    """``RETRIEVAL_RESULTS`` with the nDCG of the live release and of the candidate."""
    rows = [
        {
            "question_id": f"q{number}",
            "question": f"what is {number}?",
            "question_sha256": sha(dataset, number),
            "tags": [],
            "groups": [],
            "origin": "golden",
            "answerable": True,
            "relevant": [f"docs/{number}"],
            "evidence": "current",
            "evidence_note": "",
            "ranking": [f"docs/{number}"] if new else ["docs/other"],
            "ndcg": new,
            "baseline_ranking": [f"docs/{number}"] if old else ["docs/other"],
            "baseline_ndcg": old,
            "baseline_evidence": None if old is None else "current",
            **values,
        }
        for number, (old, new) in enumerate(zip(before, now, strict=True))
    ]
    return frame(RETRIEVAL_RESULTS, rows)


def evaluated(dataset: str, rows: pl.DataFrame, baseline: int | None = LIVE) -> Evaluated:
    """A retrieval evaluation of the candidate."""
    record = Evaluation("retrieval", dataset, CANDIDATE, {}, baseline_release_id=baseline)
    return Evaluated(record, rows)


def as_asked(record: Evaluation, asked: pl.DataFrame) -> Evaluation:
    """The evaluation, of the questions as they are now."""
    version = questions_version(asked.filter(pl.col("dataset") == record.dataset))
    return replace(record, questions_version=version)


def answers(dataset: str, scores: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """``ANSWER_RESULTS``, one question for each mapping of scores."""
    rows = [
        {
            "question_id": f"q{number}",
            "question": f"what is {number}?",
            "question_sha256": sha(dataset, number),
            "tags": [],
            "origin": "golden",
            "answerable": True,
            "evidence": "current",
            "answer": f"it is {number}",
            "abstained": False,
            "cited": [f"docs/{number}"],
            "error": "",
            **found,
        }
        for number, found in enumerate(scores)
    ]
    return frame(ANSWER_RESULTS, rows)


def judgements(
    scores: Sequence[float | None], *, judge: str = "judge@server", version: str = "1"
) -> pl.DataFrame:
    """``JUDGEMENTS`` of faithfulness, question by question; None is a timeout."""
    rows = [
        {
            "sample_id": f"q{number}",
            "metric": "ragas.faithfulness",
            "version": version,
            "judge": judge,
            "status": "timeout" if score is None else "ok",
            "score": score,
        }
        for number, score in enumerate(scores)
    ]
    return frame(JUDGEMENTS, rows)
