"""Spans ``(start, end)`` of a text, and how much of it they hold."""

from collections.abc import Iterable, Sequence

Span = tuple[int, int]


def union_length(spans: Iterable[Span]) -> int:
    """How many characters lie in at least one of some spans."""
    total, reached = 0, 0
    for start, end in sorted(spans):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


def intersections(evidence: Sequence[Span], passages: Iterable[Span]) -> list[Span]:
    """Every non-empty intersection of an evidence span with a passage."""
    shared = (
        (max(start, first), min(end, last)) for first, last in passages for start, end in evidence
    )
    return [(start, end) for start, end in shared if start < end]
