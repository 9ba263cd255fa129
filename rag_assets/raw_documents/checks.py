"""The data contract of ``raw_documents``."""

from rag_assets.platform.contracts import (
    Expectation,
    between,
    columns_are,
    matches,
    not_null,
    unique,
)

from .schema import RAW_DOCUMENTS

CONTRACT = (
    columns_are(list(RAW_DOCUMENTS), "later stages name them"),
    unique("document_id", "a document that is listed twice is indexed twice"),
    not_null("document_id", "a document without a name cannot be traced or forgotten"),
    matches("document_id", r"^[a-z0-9][a-z0-9_-]*/(?s:.+)$", "ids are <source>/<path>"),
    not_null("source", "filters and shards go by source"),
    not_null("uri", "a citation must lead back to the document"),
    not_null("media_type", "the parser is chosen by it"),
    between("size_bytes", 0, None, "sizes are bytes"),
    not_null("modified_at", "freshness is computed from it"),
    matches("content_sha256", r"^[0-9a-f]{64}$", "bytes are found by their hash"),
    Expectation(
        "content_or_problem",
        "expect_column_values_to_not_be_null",
        {
            "column": "content_sha256",
            "row_condition": "problem_kind.isnull()",
            "condition_parser": "pandas",
        },
        "a document has bytes, or a reason why not",
    ),
)
