"""Hits are widened within their section, and what touches is one."""

import pytest

from rag_assets.query.answer import Hit
from rag_assets.query.context.duplicates import Distinct
from rag_assets.query.context.neighbours import Stretch, widen
from tests.query.context.hits import Index, hit


def document(*paths: str, name: str = "docs/a") -> list[Hit]:
    """Chunks of a document whose heading paths are written as ``A/B``."""
    return [
        hit(f"{name} {number}", document_id=name, ordinal=number, heading_path=path.split("/"))
        for number, path in enumerate(paths)
    ]


def found(*hits: Hit) -> list[Distinct]:
    return [Distinct(rank, one) for rank, one in enumerate(hits)]


def ordinals(stretches: list[Stretch]) -> list[list[int]]:
    return [[part.ordinal for part in stretch.parts] for stretch in stretches]


@pytest.mark.parametrize(
    ("paths", "at", "neighbours", "expected"),
    [
        (["A"] * 7, 3, 2, [1, 2, 3, 4, 5]),
        (["A"] * 7, 0, 1, [0, 1]),
        (["A"] * 7, 6, 3, [3, 4, 5, 6]),
        (["A", "B", "B", "B", "C"], 2, 2, [1, 2, 3]),
        (["A", "A/B", "A/B", "A/C"], 2, 3, [0, 1, 2]),
        (["A", "A/B", "A/B", "C"], 0, 3, [0, 1, 2]),
        (["A", "B", "A", "A"], 2, 3, [2, 3]),
        (["A/B", "A"], 0, 1, [0]),
    ],
)
def test_widening_stops_where_the_section_does(
    paths: list[str], at: int, neighbours: int, expected: list[int]
) -> None:
    chunks = document(*paths)
    stretches = widen(found(chunks[at]), neighbours, Index(chunks).fetch)
    assert ordinals(stretches) == [expected]
    assert [one.hit for one in stretches[0].found] == [chunks[at]]


def test_what_may_not_be_read_ends_the_widening() -> None:
    chunks = document(*["A"] * 7)
    index = Index(chunks, unreadable=[chunks[2].chunk_id, chunks[4].chunk_id])
    assert ordinals(widen(found(chunks[3]), 3, index.fetch)) == [[3]]


def test_only_what_was_asked_for_is_taken() -> None:
    chunks = document(*["A"] * 5)
    strangers = [chunks[4], hit("strange", document_id="docs/other", ordinal=1)]
    assert ordinals(widen(found(chunks[1]), 1, lambda _: [*strangers, chunks[2]])) == [[1, 2]]


def test_all_neighbours_are_fetched_at_once_and_hits_are_not() -> None:
    chunks = document(*["A"] * 9) + document("A", "A", name="docs/b")
    index = Index(chunks)
    widen(found(chunks[1], chunks[2], chunks[7], chunks[9]), 1, index.fetch)
    assert index.calls == [{"docs/a": [0, 3, 6, 8], "docs/b": [1]}]
    widen(found(chunks[1]), 0, index.fetch)
    widen([], 3, index.fetch)
    assert len(index.calls) == 1


def test_neighbourhoods_that_touch_are_one_under_the_best_hit() -> None:
    chunks = document(*["A"] * 12)
    stretches = widen(found(chunks[9], chunks[6], chunks[1]), 1, Index(chunks).fetch)
    assert ordinals(stretches) == [[5, 6, 7, 8, 9, 10], [0, 1, 2]]
    assert [one.hit.ordinal for one in stretches[0].found] == [9, 6]


def test_hits_side_by_side_are_one_unless_a_section_ends_between_them() -> None:
    chunks = document("A", "A", "B", "B")
    assert ordinals(widen(found(chunks[1], chunks[0]), 0, Index(chunks).fetch)) == [[0, 1]]
    assert ordinals(widen(found(chunks[1], chunks[2]), 1, Index(chunks).fetch)) == [[0, 1], [2, 3]]


def test_an_introduction_widens_over_all_sections_below_it() -> None:
    """Sections side by side stay together when one neighbourhood holds both."""
    chunks = document("A", "A/B", "A/C")
    stretches = widen(found(chunks[2], chunks[0]), 2, Index(chunks).fetch)
    assert ordinals(stretches) == [[0, 1, 2]]


def test_equal_ordinals_of_two_documents_do_not_touch() -> None:
    chunks = document("A", "A") + document("A", "A", name="docs/b")
    stretches = widen(found(chunks[0], chunks[3]), 0, Index(chunks).fetch)
    assert ordinals(stretches) == [[0], [1]]
