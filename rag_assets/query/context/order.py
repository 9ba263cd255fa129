"""In which order passages are read, and their numbers.

Documents come in the order of their best passage, since readers and models attend most to what
stands first (Liu et al.: "Lost in the Middle", 2023). Passages of one document come in the
document's own order, so that "the above" and "as follows" point where the author meant. Numbers
follow the order of reading, so that the first marker of an answer is a small one.
"""

from collections.abc import Sequence
from dataclasses import replace

from rag_assets.query.answer import Passage


def numbered(passages: Sequence[Passage]) -> list[Passage]:
    """The passages in reading order, numbered from 1.

    Args:
        passages: in the order of their best hits.
    """
    place: dict[str, int] = {}
    for passage in passages:
        place.setdefault(passage.hit.document_id, len(place))
    ordered = sorted(
        passages,
        key=lambda passage: (place[passage.hit.document_id], passage.parts[0].ordinal),
    )
    return [replace(passage, number=number) for number, passage in enumerate(ordered, start=1)]
