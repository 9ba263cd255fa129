"""A deployment whose people wrote no questions is guarded by those made from its documents."""

from pathlib import Path

import pytest

from evals.golden_questions.schema import KNOWN_ITEMS
from rag_assets.platform.settings import EvaluationSettings

from .deployments import Deployment, asked_of, gate, offer
from .plants import drop_half
from .verdicts import assert_nothing_harmed, named_in


@pytest.fixture(scope="module")
def released_unasked(tmp_path_factory: pytest.TempPathFactory, indexed: Deployment) -> Deployment:
    """The handbook without a golden set, released."""
    deployment = indexed.copy(tmp_path_factory.mktemp("unasked") / "released")
    promotion = offer(deployment)
    assert promotion.promoted, promotion.release.reason
    return deployment


@pytest.fixture
def unasked(released_unasked: Deployment, tmp_path: Path) -> Deployment:
    """A copy, to be changed."""
    return released_unasked.copy(tmp_path / "unasked")


def test_they_catch_half_of_the_documents_dropped(unasked: Deployment) -> None:
    live, before = unasked.live, unasked.answers()
    drop_half(unasked.documents)

    promotion = offer(unasked)

    assert set(asked_of(unasked)["dataset"]) == {KNOWN_ITEMS}
    assert promotion.release.status == "rejected"
    assert "retrieval_quality: worse than the live release: known_items" in promotion.release.reason
    assert_nothing_harmed(unasked, live, before)
    assert len(named_in(gate(promotion, "retrieval_quality"), asked_of(unasked))) >= 5


def test_without_any_question_the_gate_says_so_and_lets_it_pass(unasked: Deployment) -> None:
    live = unasked.live
    drop_half(unasked.documents)

    promotion = offer(unasked.changed(evaluation=EvaluationSettings(known_items=0)))

    assert asked_of(unasked).is_empty()
    quality = gate(promotion, "retrieval_quality")
    assert quality.verdict == "not_judged"
    assert "no questions" in quality.explanation
    assert promotion.promoted, promotion.release.reason
    assert unasked.live.id == promotion.release.id > live.id
