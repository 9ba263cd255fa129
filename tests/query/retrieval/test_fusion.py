"""Fusion: the published formulas, ties in one order, either leg alone when the other is empty."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.query.retrieval.candidates import Candidates, union
from rag_assets.query.retrieval.documents import rank_documents
from rag_assets.query.retrieval.fusion import METHODS, best_first, fuse
from rag_assets.vector_index.reader import Leg

Found = list[tuple[int, float]]
FOUND = st.lists(
    st.tuples(st.integers(0, 9), st.floats(-5, 50, allow_nan=False)),
    unique_by=lambda hit: hit[0],
)


def leg(found: Found) -> Leg:
    """Rows of documents of two chunks each."""
    rows = [row for row, _ in found]
    return Leg(rows, [f"c{r}" for r in rows], [f"d{r // 2}" for r in rows], [s for _, s in found])


def candidates(dense: Found, text: Found) -> Candidates:
    return union([leg(dense)], [leg(text)])


def normalised(found: Found) -> dict[str, float]:
    """The reference, in plain Python."""
    scores = [score for _, score in found]
    low, high = min(scores, default=0), max(scores, default=0)
    return {f"c{row}": (s - low) / (high - low) if high - low > 1e-9 else 1.0 for row, s in found}


def reciprocal(found: Found) -> dict[str, float]:
    ranks = sorted({score for _, score in found}, reverse=True)
    return {f"c{row}": 61 / (60 + 1 + ranks.index(score)) for row, score in found}


@given(dense=FOUND, text=FOUND, weight=st.floats(0, 1), method=st.sampled_from(METHODS))
def test_it_is_the_published_formula(dense: Found, text: Found, weight: float, method: str) -> None:
    part = {"weighted": normalised, "rrf": reciprocal}[method]
    left, right = part(dense), part(text)
    pool = candidates(dense, text)
    scores = fuse(pool, method, weight)
    expected = {
        name: weight * left.get(name, 0.0) + (1 - weight) * right.get(name, 0.0)
        for name in left.keys() | right.keys()
    }
    assert dict(zip(pool.chunk_id, scores, strict=True)) == pytest.approx(expected)
    order = [pool.chunk_id[position] for position in best_first(pool, scores)]
    found = dict(zip(pool.chunk_id, scores, strict=True))
    assert order == sorted(found, key=lambda name: (-found[name], name))


def test_the_legs_own_scores_are_kept_side_by_side() -> None:
    pool = candidates([(1, 0.9), (2, 0.5)], [(2, 12.0)])
    assert pool.chunk_id == ["c1", "c2"]
    assert pool.dense.tolist() == [0.9, 0.5]
    assert np.isnan(pool.full_text[0])
    assert pool.full_text[1] == 12.0


@given(legs=st.lists(FOUND, min_size=1, max_size=3))
def test_of_several_forms_of_a_question_the_best_score_counts(legs: list[Found]) -> None:
    pool = union([leg(found) for found in legs], [])
    best: dict[int, float] = {}
    for found in legs:
        for row, score in found:
            best[row] = max(score, best.get(row, -np.inf))
    assert dict(zip(pool.row_id.tolist(), pool.dense.tolist(), strict=True)) == best
    assert np.isnan(pool.full_text).all()


@given(dense=FOUND, text=FOUND)
def test_a_document_is_as_good_as_its_best_chunk(dense: Found, text: Found) -> None:
    pool = candidates(dense, text)
    scores = fuse(pool, "weighted", 0.5)
    ranked = rank_documents(pool, scores)
    by_document: dict[str, list[float]] = {}
    for document, score in zip(pool.document_id, scores.tolist(), strict=True):
        by_document.setdefault(document, []).append(score)
    assert dict(ranked) == {name: max(found) for name, found in by_document.items()}
    assert ranked == sorted(ranked, key=lambda item: (-item[1], item[0]))
