"""The data contract of ``golden_questions``."""

from rag_assets.platform.contracts import Expectation, columns_are, in_set, matches, not_null

from .evidence import STATES
from .schema import RESOLVED_QUESTIONS

CONTRACT = (
    columns_are(list(RESOLVED_QUESTIONS), "the evaluations name them"),
    Expectation(
        "question_unique_in_its_set",
        "expect_compound_columns_to_be_unique",
        {"column_list": ["dataset", "question_id"]},
        "results are joined by set and question",
    ),
    not_null("dataset", "every question belongs to a set"),
    not_null("question_id", "results are joined by it"),
    matches("question", r"\s*\S", "an empty question finds nothing"),
    not_null("gate", "promotion depends on it or does not"),
    in_set("half", ["train", "report"], "what is learned from is not what is reported"),
    in_set(
        "origin",
        ["golden", "feedback", "synthetic", "known_item"],
        "synthetic questions are told from others",
    ),
    in_set("evidence", list(STATES), "a question whose evidence is gone is flagged"),
    matches("question_sha256", r"[0-9a-f]{64}$", "a changed question is a new one"),
    Expectation(
        "synthetic_never_gates",
        "expect_column_values_to_be_in_set",
        {
            "column": "gate",
            "value_set": [False],
            "row_condition": 'origin == "synthetic"',
            "condition_parser": "pandas",
        },
        "nobody has read the questions that a model wrote",
    ),
)
