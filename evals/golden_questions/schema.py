"""Columns of golden questions: one row per question."""

import polars as pl

RELEVANT = pl.Struct(
    {
        "document_id": pl.String(),
        "quote": pl.String(),  # verbatim evidence, matched to spans; null: the document as a whole
        "page": pl.Int64(),  # from 1, null where the set does not say
        "grade": pl.Int64(),  # of relevance, 1 and above
    }
)
GOLDEN_QUESTIONS = pl.Schema(
    {
        "question_id": pl.String(),
        "question": pl.String(),
        "relevant": pl.List(RELEVANT),
        "answer": pl.String(),  # null where the set has none
        "answerable": pl.Boolean(),  # null: nobody judged the question
        "groups": pl.List(pl.String()),  # whose rights it is asked with; []: the evaluation's own
        "tags": pl.List(pl.String()),
        "half": pl.String(),  # train | report
    }
)
