"""From a quoted span to a citation."""

from collections.abc import Sequence

from rag_assets.query.answer import Citation, Quote

from .pages import page_at, pages_of


def citation(quote: Quote, marker: str = "", copies: Sequence[str] = ()) -> Citation:
    """The citation of a span.

    Args:
        quote: the span, in its chunk.
        marker: what points to it; default the quote's own.
        copies: documents that hold the same passage.
    """
    hit = quote.hit
    return Citation(
        marker=marker or quote.marker,
        document_id=hit.document_id,
        chunk_id=hit.chunk_id,
        title=hit.title,
        uri=hit.uri,
        quote=quote.text,
        char_start=hit.char_start + quote.start,
        char_end=hit.char_start + quote.end,
        page=page_at(hit, quote.start, quote.end),
        score=round(quote.score, 4),
        heading_path=list(hit.heading_path),
        content_sha256=hit.content_sha256,
        copies=list(copies),
        pages=pages_of(hit),
    )
