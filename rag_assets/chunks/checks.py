"""The data contract of ``chunks``."""

from rag_assets.platform.contracts import (
    Expectation,
    between,
    columns_are,
    matches,
    not_null,
    unique,
)

from .schema import CHUNKS

CONTRACT = (
    columns_are(list(CHUNKS), "later stages name them"),
    unique("chunk_id", "a citation must lead to one passage"),
    matches("chunk_id", r"^[0-9a-f]{32}$", "ids are hashes, never counters"),
    not_null("document_id", "every chunk belongs to a document"),
    Expectation(
        "ordinal_once",
        "expect_compound_columns_to_be_unique",
        {"column_list": ["document_id", "ordinal"]},
        "a document's chunks have an order",
    ),
    not_null("text", "a chunk without text answers nothing"),
    between("char_start", 0, None, "spans are offsets into the parsed text"),
    Expectation(
        "span_forward",
        "expect_column_pair_values_a_to_be_greater_than_b",
        {"column_A": "char_end", "column_B": "char_start"},
        "a span ends after it starts",
    ),
    between("token_count", 1, None, "tokens are counted with the encoder's own tokenizer"),
    matches("embed_sha256", r"^[0-9a-f]{64}$", "vectors are found by it"),
)
