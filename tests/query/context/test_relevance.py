"""What is far below the best is left out."""

import pytest

from rag_assets.query.context.relevance import relevant
from tests.query.context.hits import hit


@pytest.mark.parametrize(
    ("scores", "share", "left"),
    [
        ([0.8, 0.4, 0.39], 0.5, [0.8, 0.4]),
        ([0.8, 0.4, 0.0, -1.0], 0.0, [0.8, 0.4, 0.0, -1.0]),
        ([0.8, 0.8, 0.7], 1.0, [0.8, 0.8]),
        ([-1.0, -5.0], 0.9, [-1.0, -5.0]),
        ([0.4, 0.8], 0.9, [0.8]),
        ([], 0.5, []),
    ],
)
def test_a_share_of_the_best_score(scores: list[float], share: float, left: list[float]) -> None:
    hits = [hit(ordinal=number, score=score) for number, score in enumerate(scores)]
    assert [one.score for one in relevant(hits, share)] == left
