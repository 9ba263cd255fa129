"""Widens hits by the chunks around them, and joins what touches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from rag_assets.query.answer import Hit

from .duplicates import Distinct

# Chunks by document_id and ordinals, as far as they exist and the caller may read them.
Fetch: TypeAlias = Callable[[Mapping[str, Sequence[int]]], Sequence[Hit]]

_Chunks: TypeAlias = Mapping[tuple[str, int], Hit]


@dataclass(frozen=True)
class Stretch:
    """Consecutive chunks of one document around one or more hits.

    Attributes:
        found: the hits among the parts, best first.
        parts: hits and neighbours in reading order.
    """

    found: tuple[Distinct, ...]
    parts: tuple[Hit, ...]


def widen(found: Sequence[Distinct], neighbours: int, fetch: Fetch) -> list[Stretch]:
    """The hits with up to ``neighbours`` chunks before and after, joined where they touch.

    A hit is widened within its section: over chunks under its heading or one below it, and back
    over what introduces the sections it stands in. Widening ends at the first chunk that is of
    another section, does not exist or may not be read.

    Args:
        found: best first; ``rank`` is the place in this list.
        neighbours: chunks on each side; 0: none, and nothing is fetched.
        fetch: gives chunks, already restricted to the caller's rights and filter; called once at
            most.

    Returns:
        Ordered by their best hit; no chunk is in two of them. Neighbourhoods that share a chunk are
        one, and so are those that follow one another within a section.
    """
    chunks = {_place(one.hit): one.hit for one in found}
    wanted = _wanted(chunks, neighbours)
    for chunk in fetch(wanted) if wanted else ():
        chunks.setdefault(_place(chunk), chunk)
    runs: list[_Run] = []
    for run in sorted(_run(one, neighbours, chunks) for one in found):
        if runs and _touch(runs[-1], run, chunks):
            runs[-1] = runs[-1].joined(run)
        else:
            runs.append(run)
    stretches = [_stretch(run, found, chunks) for run in runs]
    return sorted(stretches, key=lambda stretch: stretch.found[0].rank)


class _Run(NamedTuple):
    """Consecutive ordinals of one document, and the ranks of the hits among them."""

    document_id: str
    first: int
    last: int
    ranks: tuple[int, ...]

    def joined(self, other: "_Run") -> "_Run":
        last = max(self.last, other.last)
        return _Run(self.document_id, self.first, last, self.ranks + other.ranks)


def _place(chunk: Hit) -> tuple[str, int]:
    return chunk.document_id, chunk.ordinal


def _wanted(hits: _Chunks, neighbours: int) -> dict[str, list[int]]:
    wanted: dict[str, set[int]] = {}
    for document, ordinal in hits:
        around = range(max(0, ordinal - neighbours), ordinal + neighbours + 1)
        missing = {number for number in around if (document, number) not in hits}
        wanted.setdefault(document, set()).update(missing)
    return {document: sorted(numbers) for document, numbers in wanted.items() if numbers}


def _run(one: Distinct, neighbours: int, chunks: _Chunks) -> _Run:
    hit = one.hit
    ends = []
    for step in (-1, 1):
        end = hit.ordinal
        while abs(end + step - hit.ordinal) <= neighbours:
            following = chunks.get((hit.document_id, end + step))
            if following is None or not _in_section(hit, following):
                break
            end += step
        ends.append(end)
    return _Run(hit.document_id, ends[0], ends[1], (one.rank,))


def _in_section(hit: Hit, neighbour: Hit) -> bool:
    if neighbour.ordinal < hit.ordinal:
        return _nested(hit, neighbour)
    return neighbour.heading_path[: len(hit.heading_path)] == hit.heading_path


def _nested(one: Hit, other: Hit) -> bool:
    """Whether one of the two stands under the heading of the other."""
    depth = min(len(one.heading_path), len(other.heading_path))
    return one.heading_path[:depth] == other.heading_path[:depth]


def _touch(one: _Run, following: _Run, chunks: _Chunks) -> bool:
    """Whether the runs share chunks, or follow one another without a border between sections."""
    document = one.document_id
    if document != following.document_id or following.first > one.last + 1:
        return False
    if following.first <= one.last:
        return True
    return _nested(chunks[document, one.last], chunks[document, following.first])


def _stretch(run: _Run, found: Sequence[Distinct], chunks: _Chunks) -> Stretch:
    return Stretch(
        found=tuple(found[rank] for rank in sorted(run.ranks)),
        parts=tuple(chunks[run.document_id, ordinal] for ordinal in range(run.first, run.last + 1)),
    )
