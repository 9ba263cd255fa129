"""Documents that vanish are missed by the questions that need them; other edits harm nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from .deployments import Deployment, asked_of, gate, offer
from .plants import add, delete, drop_half, edit, rename, reword
from .verdicts import assert_nothing_harmed, named_in


def test_half_of_the_documents_dropped(handbook: Deployment) -> None:
    live, before = handbook.live, handbook.answers()
    dropped = drop_half(handbook.documents)

    promotion = offer(handbook)

    assert promotion.release.status == "rejected"
    assert "retrieval_quality: worse than the live release" in promotion.release.reason
    assert_nothing_harmed(handbook, live, before)
    questions = asked_of(handbook)
    named = named_in(gate(promotion, "retrieval_quality"), questions)
    hurt = {
        question
        for question, relevant in questions.select("question", "relevant").rows()
        if dropped & {item["document_id"] for item in relevant}
    }
    assert len(named) == 20
    assert len(named & hurt) > len(named - hurt)


@pytest.mark.parametrize("changes", [(edit, add), (reword,), (rename, delete)])
def test_a_harmless_change(
    handbook: Deployment, changes: tuple[Callable[[Path], None], ...]
) -> None:
    live = handbook.live
    for change in changes:
        change(handbook.documents)

    promotion = offer(handbook)

    assert promotion.promoted, promotion.release.reason
    assert handbook.live.id == promotion.release.id > live.id
    assert gate(promotion, "retrieval_quality").verdict == "passed"
    assert gate(promotion, "acl_leak").verdict == "passed"


def test_a_deployment_that_moved_and_then_nothing_changed(handbook: Deployment) -> None:
    moved = offer(handbook)
    live, before = handbook.live, handbook.answers()
    nothing = offer(handbook)

    assert moved.promoted, moved.release.reason
    assert gate(moved, "retrieval_quality").verdict == "passed"
    assert not nothing.created
    assert_nothing_harmed(handbook, live, before)
