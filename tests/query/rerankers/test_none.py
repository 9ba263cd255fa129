import numpy as np
import pytest

from rag_assets.query.rerankers.base import Reranker
from rag_assets.query.rerankers.none import NoReranker

from .conformance import QUESTION, RerankerConformance


class TestNone(RerankerConformance):
    @pytest.fixture
    def reranker(self) -> Reranker:
        return NoReranker()


def test_the_order_of_the_search_stays() -> None:
    assert NoReranker().score(QUESTION, ["c", "a", "b"]).tolist() == [1.0, 0.5, 0.0]
    assert NoReranker().score(QUESTION, ["only"]).tolist() == [1.0]
    falls = np.diff(NoReranker().score(QUESTION, [""] * 200))
    assert (falls < 0).all()
