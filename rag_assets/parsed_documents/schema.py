"""Columns of ``parsed_documents``: one row per document of the manifest, text or reason."""

import polars as pl

PARSED_DOCUMENTS = pl.Schema(
    {
        "document_id": pl.String(),
        "content_sha256": pl.String(),  # of the newest version seen (null when it could not be read)
        "status": pl.String(),  # parsed | empty | quarantined
        "title": pl.String(),  # what readers see: front matter or sidecar, else found in the text
        "parser_title": pl.String(),  # what the parser found, kept so that a new title costs no parse
        "text": pl.String(),  # Markdown; null unless parsed or stale
        "text_sha256": pl.String(),  # of title, text and page starts: what chunks depend on
        "served_sha256": pl.String(),  # content_sha256 of the version that ``text`` comes from
        "page_starts": pl.List(
            pl.Int64()
        ),  # character offset of each page's start; [] without pages
        "parser": pl.String(),  # name and version
        "parser_fingerprint": pl.String(),
        "error_kind": pl.String(),
        "error": pl.String(),
        "attempts": pl.Int64(),  # how often this version was tried
        "attempted_at": pl.Datetime("us", "UTC"),
        "stale": pl.Boolean(),  # this version failed; an older good version still serves
        "run_id": pl.String(),
    }
)
