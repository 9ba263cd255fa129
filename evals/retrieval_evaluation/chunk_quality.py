"""Metrics of a splitter: how much of the evidence do the retrieved passages hold, and how much else?

Definitions by Smith and Troynikov, "Evaluating Chunking Strategies for Retrieval" (Chroma technical
report, 2024), with their package's measure of length: characters. Evidence and passages are spans
``(start, end)`` of one text; passages from other texts count as retrieved text and hold no evidence.

* recall: evidence inside retrieved passages / evidence;
* precision: evidence inside retrieved passages / all retrieved text;
* precision omega: evidence inside any passage / (the passages that hold evidence + what none holds),
  the precision of a perfect retrieval;
* IoU: evidence inside retrieved passages / (all retrieved text + evidence that was missed).

As in the report, overlapping evidence counts once and retrieved text that two passages share counts
twice in the denominators of precision and IoU, so that overlap has its price.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from evals.spans import Span, intersections, union_length


class ChunkQuality(NamedTuple):
    """The four scores of one question, each from 0 to 1."""

    recall: float
    precision: float
    precision_omega: float
    iou: float


def covered_share(evidence: Sequence[Span], passages: Iterable[Span]) -> float:
    """Recall: the share of the evidence's characters that lie in some passage.

    Raises:
        ValueError: there is no evidence.
    """
    length = union_length(evidence)
    if not length:
        raise ValueError("a question without evidence has no recall")
    return union_length(intersections(evidence, passages)) / length


def chunk_quality(
    evidence: Sequence[Span],
    retrieved: Sequence[Span],
    passages: Sequence[Span],
    elsewhere: int = 0,
) -> ChunkQuality:
    """Score what was retrieved for one question.

    Args:
        evidence: spans that answer the question; together at least one character.
        retrieved: retrieved passages of the text that holds the evidence.
        passages: all passages of that text.
        elsewhere: characters of retrieved passages of other texts.

    Raises:
        ValueError: there is no evidence.
    """
    length = union_length(evidence)
    recall = covered_share(evidence, retrieved)
    found = union_length(intersections(evidence, retrieved))
    text = elsewhere + sum(end - start for start, end in retrieved)
    holders = [passage for passage in passages if intersections(evidence, [passage])]
    reachable = union_length(intersections(evidence, holders))
    return ChunkQuality(
        recall=recall,
        precision=found / text if text else 0.0,
        precision_omega=reachable / (union_length(holders) + length - reachable),
        iou=found / (text + length - found),
    )
