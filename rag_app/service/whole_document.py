"""A document put together again from the passages of a release."""

from collections.abc import Sequence
from typing import Any

from rag_assets.query.access import Caller
from rag_assets.query.answer import Hit
from rag_assets.query.engine import QueryEngine

from .documents import no_document


def whole_document(
    engine: QueryEngine,
    document_id: str,
    caller: Caller,
    *,
    start: int = 0,
    end: int | None = None,
) -> dict[str, Any]:
    """A document as a release has it.

    Args:
        engine: of the release.
        document_id: of the document.
        caller: whose rights decide.
        start, end: only this part of the text, and the passages that reach into it.

    Returns:
        the fields of ``WholeDocument``.

    Raises:
        NotFound: the release has no such document for this caller.
    """
    passages, release = engine.read_document(document_id, caller)
    if not passages:
        raise no_document(document_id)
    text, first = text_of(passages), passages[0]
    end = len(text) if end is None else min(end, len(text))
    start = min(start, end)
    return {
        **{name: getattr(first, name) for name in ("document_id", "source", "title", "uri")},
        "content_sha256": first.content_sha256,
        "modified_at": first.modified_at,
        "attributes": first.attributes,
        "stale": first.stale,
        "release": release,
        "text": text[start:end],
        "char_offset": start,
        "length": len(text),
        "page_starts": page_starts(passages),
        "passages": [item for item in passages if item.char_end > start and item.char_start < end],
    }


def text_of(passages: Sequence[Hit]) -> str:
    """The text of all passages at their own offsets; what lies between two is blank lines."""
    pieces: list[str] = []
    at = 0
    for passage in sorted(passages, key=lambda item: item.char_start):
        gap = passage.char_start - at
        if gap > 0:
            pieces.append("\n" * gap)
        pieces.append(passage.text[max(0, -gap) :])
        at = max(at, passage.char_end)
    return "".join(pieces)


def page_starts(passages: Sequence[Hit]) -> list[int]:
    """Where each page begins; a page without text begins where the next one does."""
    known: dict[int, int] = {}
    for passage in passages:
        if passage.page_first is None:
            continue
        known.setdefault(passage.page_first, passage.char_start)
        for page, offset in enumerate(passage.page_breaks, start=passage.page_first + 1):
            known.setdefault(page, offset)
    if not known:
        return []
    starts: list[int] = []
    following = 0
    for page in range(max(known), 0, -1):
        following = known.get(page, following)
        starts.append(following)
    starts[-1] = 0
    return starts[::-1]
