"""Which page a span of a chunk is on."""

from rag_assets.query.answer import Hit


def page_at(hit: Hit, start: int, end: int) -> int | None:
    """The page of a span, from 1; None where the format has no pages.

    A chunk knows its first and last page but not where they part: on a chunk of several pages the
    page is estimated from where the middle of the span lies.

    Args:
        hit: the chunk.
        start, end: offsets in ``hit.text``.
    """
    if hit.page_first is None:
        return None
    pages = (hit.page_last or hit.page_first) - hit.page_first + 1
    share = (start + end) / 2 / max(1, len(hit.text))
    return hit.page_first + min(pages - 1, int(share * pages))
