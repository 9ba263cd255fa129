"""Which questions of every set are asked, under names that are unique over all sets."""

import hashlib

import polars as pl

from evals.golden_questions.schema import KNOWN_ITEMS

SEPARATOR = "\t"


def sample_questions(questions: pl.DataFrame, most: int) -> pl.DataFrame:
    """At most so many judged questions of every set, always the same ones.

    A question is in the sample by the hash of its own id: others that come or go move few.

    Args:
        questions: ``RESOLVED_QUESTIONS``.
        most: of one set.

    Returns:
        ``RESOLVED_QUESTIONS``; question_id is ``key``.
    """
    judged = questions.filter(pl.col("answerable").is_not_null())
    keys = [key(*pair) for pair in judged.select("dataset", "question_id").rows()]
    places = pl.Series(
        [hashlib.sha256(item.encode()).hexdigest() for item in keys], dtype=pl.String
    )
    return (
        judged.with_columns(pl.Series("question_id", keys, pl.String), places.alias("place"))
        .sort("dataset", "place")
        .group_by("dataset", maintain_order=True)
        .head(most)
        .select(questions.columns)
    )


def by_known_item(questions: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The known items among some questions, and the others."""
    known = pl.col("dataset") == KNOWN_ITEMS
    return questions.filter(known), questions.filter(~known)


def key(dataset: str, question_id: str) -> str:
    """The name of a question among those of all sets."""
    return f"{dataset}{SEPARATOR}{question_id}"


def plain(dataset: str) -> pl.Expr:
    """The question_id that a set itself gives its question."""
    return pl.col("question_id").str.strip_prefix(f"{dataset}{SEPARATOR}")
