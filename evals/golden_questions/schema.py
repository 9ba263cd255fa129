"""Columns of golden questions: one row per question; as read from a set, and as the asset keeps them."""

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
        "forbidden": pl.List(pl.String()),  # document_ids that must not be found with these rights
        "origin": pl.String(),  # golden | feedback | synthetic | known_item
        "provenance": pl.String(),  # where it comes from, as JSON; null where nobody said
    }
)
# the table of the asset golden_questions: every question of every set, (dataset, question_id) unique
RESOLVED_QUESTIONS = pl.Schema(
    {
        "dataset": pl.String(),  # name of the set; "known_items" for those made from the documents
        "gate": pl.Boolean(),  # whether promotion depends on it
        **GOLDEN_QUESTIONS,
        # against the documents as they are now: current | changed (the document is there, the quote
        # is not) | deleted (a document is gone) | unknown (never was there) | none (nothing to find)
        "evidence": pl.String(),
        "evidence_note": pl.String(),  # what was not found, in words; "" where all is current
        "question_sha256": pl.String(),  # of what was asked and what is right: a changed question is new
    }
)
KNOWN_ITEMS = "known_items"
