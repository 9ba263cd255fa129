"""Columns of a replay: one row a question, what both releases found and answered."""

import polars as pl

# what a release found and answered; with the prefix ``baseline_`` the release it is compared with
SIDE = {
    "documents": pl.List(pl.String()),  # distinct, best first
    "answer": pl.String(),
    "abstained": pl.Boolean(),
    "cited": pl.List(pl.String()),  # documents, in the order of their markers
    "confidence": pl.Float64(),
    "milliseconds": pl.Float64(),  # of search and answer
    "error": pl.String(),  # what ended it; empty where there is an answer
}

REPLAYED = pl.Schema(
    {
        "question_id": pl.String(),
        "question": pl.String(),
        "asked_at": pl.Datetime("us", "UTC"),
        "times": pl.Int64(),
        "groups": pl.List(pl.String()),
        "admin": pl.Boolean(),
        "authenticated": pl.Boolean(),
        "filter": pl.String(),
        **SIDE,
        **{f"baseline_{name}": kind for name, kind in SIDE.items()},
        # null where either side ended in an error
        "overlap": pl.Float64(),  # rank-biased, documents weighted by the agreement of passages
        "document_overlap": pl.Float64(),  # rank-biased, documents alone
        "document_jaccard": pl.Float64(),
        "top_changed": pl.Boolean(),  # another first document
        "answer_f1": pl.Float64(),  # token F1 of the two answers
        "answer_changed": pl.Boolean(),
        "newly_abstained": pl.Boolean(),
        "newly_answered": pl.Boolean(),
        "citations_changed": pl.Boolean(),  # other documents
    }
)

# what is kept: an answer would be a copy of what documents say
UNSTORED = ("answer", "baseline_answer")
STORED = pl.Schema({name: kind for name, kind in REPLAYED.items() if name not in UNSTORED})
