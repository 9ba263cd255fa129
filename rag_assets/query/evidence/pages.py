"""Which page a span of a chunk is on."""

from bisect import bisect_right

from rag_assets.query.answer import Hit


def page_at(hit: Hit, start: int, end: int) -> int | None:
    """The page on which a span begins, from 1; None where the format has no pages.

    Args:
        hit: the chunk.
        start, end: offsets in ``hit.text``.
    """
    if hit.page_first is None:
        return None
    return hit.page_first + bisect_right(hit.page_breaks, hit.char_start + start)


def pages_of(hit: Hit) -> list[int]:
    """The pages that a chunk stands on, in order; none where the format has no pages."""
    if hit.page_first is None:
        return []
    return list(range(hit.page_first, (hit.page_last or hit.page_first) + 1))
