"""Columns of a retrieval evaluation: one row per question of one set, one release beside the other."""

import polars as pl

# null where it does not apply: an unanswerable question has no ranking metric, an unquoted one no
# evidence recall, a release that has learned no abstention never abstains
MEASURED = {
    "ranking": pl.List(pl.String()),  # documents, best first, the first k
    "ndcg": pl.Float64(),
    "recall": pl.Float64(),
    "mrr": pl.Float64(),
    "precision": pl.Float64(),
    "hit_rate": pl.Float64(),
    "evidence_recall": pl.Float64(),  # share of the quoted characters in the first k passages
    "confidence": pl.Float64(),  # that the documents answer the question
    "abstained": pl.Boolean(),
}
RETRIEVAL_RESULTS = pl.Schema(
    {
        "question_id": pl.String(),
        "question": pl.String(),
        "question_sha256": pl.String(),
        "tags": pl.List(pl.String()),
        "groups": pl.List(pl.String()),
        "origin": pl.String(),
        "half": pl.String(),
        "answerable": pl.Boolean(),
        "relevant": pl.List(pl.String()),  # document_ids
        "evidence": pl.String(),  # in the candidate: current | changed | deleted | unknown | none
        "evidence_note": pl.String(),
        **MEASURED,
        # the same of the release that was live; null without one, or where it was not asked
        **{f"baseline_{name}": kind for name, kind in MEASURED.items()},
        "baseline_evidence": pl.String(),
    }
)
