"""Fusion: the published formula, ties in one order, either leg alone when the other is empty."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.query.fusion import fuse

HITS = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.floats(-5, 50, allow_nan=False)),
    unique_by=lambda hit: hit[0],
)


def frame(hits: list[tuple[str, float]]) -> pl.DataFrame:
    schema = {"chunk_id": pl.String, "score": pl.Float64}
    return pl.DataFrame(hits, schema=schema, orient="row")


def reference(
    dense: list[tuple[str, float]], text: list[tuple[str, float]], weight: float
) -> dict[str, float]:
    def normalised(hits: list[tuple[str, float]]) -> dict[str, float]:
        scores = [score for _, score in hits]
        low, high = min(scores, default=0), max(scores, default=0)
        return {
            name: (score - low) / (high - low) if high - low > 1e-9 else 1.0 for name, score in hits
        }

    left, right = normalised(dense), normalised(text)
    return {
        name: weight * left.get(name, 0.0) + (1 - weight) * right.get(name, 0.0)
        for name in left.keys() | right.keys()
    }


@given(dense=HITS, text=HITS, weight=st.floats(0, 1))
def test_it_is_the_weighted_sum_of_normalised_scores(
    dense: list[tuple[str, float]], text: list[tuple[str, float]], weight: float
) -> None:
    found = fuse(frame(dense), frame(text), weight)
    expected = reference(dense, text, weight)
    assert dict(zip(found["chunk_id"], found["score"], strict=True)) == pytest.approx(expected)
    order = sorted(
        zip(found["score"], found["chunk_id"], strict=True), key=lambda hit: (-hit[0], hit[1])
    )
    assert [name for _, name in order] == found["chunk_id"].to_list()


def test_the_legs_scores_are_kept() -> None:
    found = fuse(frame([("a", 0.9), ("b", 0.5)]), frame([("b", 12.0)]), 0.5).sort("chunk_id")
    assert found["dense_score"].to_list() == [0.9, 0.5]
    assert found["full_text_score"].to_list() == [None, 12.0]
