"""Which known items of the table before stay, so that a candidate is asked what the live release is.

A question made from a document that was dropped would vanish with it, and nobody would see that the
candidate cannot answer it any more.
"""

from collections.abc import Set

import polars as pl


def carry_over(
    sample: pl.DataFrame, previous: pl.DataFrame, live: Set[str], present: Set[str]
) -> pl.DataFrame:
    """The known items that are asked: the sample, and what stays beside it.

    What stays, as long as the live release has its document: every question whose document is gone;
    and of those that others took the place of, one for each sampled document that the live release
    cannot be asked for yet. A sentence that is gone from a present document does not stay.

    Args:
        sample: ``GOLDEN_QUESTIONS``, what is made of the documents now.
        previous: rows of ``RESOLVED_QUESTIONS`` of the known items before, with ``evidence`` looked
            for again.
        live: documents of the live release.
        present: documents as they are now.

    Returns:
        ``GOLDEN_QUESTIONS``; the sample first, then what stays, by question_id.
    """
    named = pl.col("relevant").list.first().struct.field("document_id")
    kept = (
        previous.with_columns(document_id=named)
        .filter(
            ~pl.col("question_id").is_in(sample["question_id"].implode()),
            pl.col("document_id").is_in(sorted(live)),
        )
        .sort("question_id")
    )
    gone = kept.filter(~pl.col("document_id").is_in(sorted(present)))
    displaced = kept.filter(
        pl.col("document_id").is_in(sorted(present)), pl.col("evidence") == "current"
    )
    unread = sample.select(document_id=named).filter(~pl.col("document_id").is_in(sorted(live)))
    staying = [gone, displaced.head(unread.height)]
    return pl.concat([sample, *(frame.select(sample.columns) for frame in staying)])
