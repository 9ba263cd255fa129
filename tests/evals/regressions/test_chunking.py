"""A splitter that tears passages apart is caught; one that is merely different passes."""

import pytest

from rag_assets.platform.settings import ChunkingSettings

from .deployments import Deployment, asked_of, gate, offer
from .verdicts import assert_nothing_harmed, named_in


def test_a_worse_splitter(handbook: Deployment) -> None:
    live, before = handbook.live, handbook.answers()
    shredded = ChunkingSettings(splitter="fixed", max_tokens=16, heading_context=False)
    changed = handbook.changed(chunking=shredded)

    promotion = offer(changed)

    assert promotion.release.status == "rejected"
    assert "retrieval_quality: worse than the live release" in promotion.release.reason
    assert_nothing_harmed(handbook, live, before)
    quality = gate(promotion, "retrieval_quality")
    assert len(named_in(quality, asked_of(changed))) >= 10


@pytest.mark.parametrize("max_tokens", [180, 220])
def test_a_slightly_different_size(handbook: Deployment, max_tokens: int) -> None:
    changed = handbook.changed(chunking=ChunkingSettings(max_tokens=max_tokens))

    promotion = offer(changed)

    assert promotion.promoted, promotion.release.reason
    assert gate(promotion, "retrieval_quality").verdict == "passed"
