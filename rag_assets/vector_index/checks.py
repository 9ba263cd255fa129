"""The data contract of a shard's index manifest."""

from rag_assets.platform.contracts import columns_are, matches, not_null, unique

CONTRACT = (
    columns_are(
        ["chunk_id", "document_id", "row_sha256", "portable_sha256"], "releases are made of them"
    ),
    unique("chunk_id", "a chunk that is indexed twice is cited twice"),
    not_null("document_id", "a chunk without a document cannot be forgotten with it"),
    matches("row_sha256", r"^[0-9a-f]{64}$", "rows are compared by it"),
)
