"""The data contract of ``parsed_documents``."""

from rag_assets.platform.contracts import (
    Expectation,
    between,
    columns_are,
    in_set,
    not_null,
    unique,
)

from .schema import PARSED_DOCUMENTS


def _when(condition: str, name: str, column: str, why: str, *, null: bool) -> Expectation:
    kind = "expect_column_values_to_be_null" if null else "expect_column_values_to_not_be_null"
    kwargs = {"column": column, "row_condition": condition, "condition_parser": "pandas"}
    return Expectation(name, kind, kwargs, why)


CONTRACT = (
    columns_are(list(PARSED_DOCUMENTS), "later stages name them"),
    unique("document_id", "every document is in exactly one state"),
    not_null("document_id", "every document is in exactly one state"),
    in_set("status", ["parsed", "empty", "quarantined"], "every document is in a known state"),
    not_null("status", "every document is in exactly one state"),
    not_null("title", "a citation shows a title"),
    between("attempts", 1, None, "attempts count from one"),
    _when(
        'status == "parsed"', "parsed_has_text", "text", "a parsed document has text", null=False
    ),
    _when(
        'status == "empty"', "empty_has_no_text", "text", "an empty document has none", null=True
    ),
    _when(
        'status == "quarantined"',
        "quarantined_has_reason",
        "error_kind",
        "a quarantined document says why",
        null=False,
    ),
)
