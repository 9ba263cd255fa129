"""The data contract of ``embeddings``."""

from rag_assets.platform.contracts import Expectation, columns_are, matches, not_null

CONTRACT = (
    columns_are(
        ["embed_sha256", "encoder", "vector", "unused_since", "run_id"], "later stages name them"
    ),
    not_null("embed_sha256", "a vector without its text's hash is never found again"),
    not_null("encoder", "a vector of an unknown encoder must not be mixed with others"),
    matches("embed_sha256", r"^[0-9a-f]{64}$", "the hash joins vectors to chunks"),
    Expectation(
        "vector_once",
        "expect_compound_columns_to_be_unique",
        {"column_list": ["embed_sha256", "encoder"]},
        "one vector per text and encoder",
    ),
)
