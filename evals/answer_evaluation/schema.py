"""Columns of an answer evaluation: one row per question that was asked; all scores from 0 to 1."""

import polars as pl

# measured without a judge; null where it does not apply
SCORES = {
    "citation_precision": pl.Float64(),  # share of the citations that touch the evidence
    "citation_recall": pl.Float64(),  # share of the pieces of evidence that a citation touches
    "support": pl.Float64(),  # mean support of the answer's sentences by what they cite
    "context_precision": pl.Float64(),  # ragas, without LLM: against the quotes
    "context_recall": pl.Float64(),
    "token_f1": pl.Float64(),  # against the reference answer
    "rouge_l": pl.Float64(),
    "similarity": pl.Float64(),  # cosine of answer and reference, by the encoder
    "abstention": pl.Float64(),  # 1 where it answered the answerable or refused the unanswerable
}
ANSWER_RESULTS = pl.Schema(
    {
        "question_id": pl.String(),
        "question": pl.String(),
        "question_sha256": pl.String(),
        "tags": pl.List(pl.String()),
        "groups": pl.List(pl.String()),
        "origin": pl.String(),
        "answerable": pl.Boolean(),
        "evidence": pl.String(),
        "reference": pl.String(),
        "answer": pl.String(),
        "abstained": pl.Boolean(),
        "cited": pl.List(pl.String()),  # document_ids
        **SCORES,
        "answerer": pl.String(),
        "model": pl.String(),
        "prompt_tokens": pl.Int64(),
        "completion_tokens": pl.Int64(),
        "cost_usd": pl.Float64(),
        "latency_ms": pl.Float64(),
        "degraded": pl.List(pl.String()),
        "error": pl.String(),  # what ended the answer; "" where there is one
    }
)
