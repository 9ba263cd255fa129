"""Vectors that do not belong to their texts are caught, whichever way they came to be."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest
from pydantic import SecretStr

from rag_assets.embeddings.schema import embeddings_schema
from rag_assets.embeddings.stage import run_embeddings
from rag_assets.encoders import Encoder, make_encoder
from rag_assets.encoders.base import Progress
from rag_assets.platform.settings import ChunkingSettings, EncoderSettings
from rag_assets.platform.stage import StageOutcome, StageRun
from tests.encoders.embeddings_server import KEY, EmbeddingsServer
from tests.jobs.harness import RUNNERS

from .deployments import Deployment, asked_of, gate, offer
from .verdicts import assert_nothing_harmed, named_in

# a size that passes when nothing else is wrong, see test_chunking: every row is written anew
RESIZED = ChunkingSettings(max_tokens=180)


def shuffled_embeddings(run: StageRun) -> StageOutcome:
    """The stage, and then every vector goes to another text."""
    outcome = run_embeddings(run)
    tables, partition = run.platform.tables, run.partition
    dimensions = make_encoder(run.platform.settings.encoder, run.platform.state_path).dimensions
    frame = tables.read("embeddings", partition, embeddings_schema(dimensions))
    stamp = tables.stamp("embeddings", partition)
    assert stamp is not None
    vectors = frame["vector"].gather(np.roll(np.arange(frame.height), frame.height // 2))
    tables.write("embeddings", partition, frame.with_columns(vectors.alias("vector")), stamp)
    return outcome


def test_vectors_of_other_texts(handbook: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    live, before = handbook.live, handbook.answers()
    monkeypatch.setitem(RUNNERS, "embeddings", shuffled_embeddings)
    changed = handbook.changed(chunking=RESIZED)

    promotion = offer(changed)

    assert promotion.release.status == "rejected"
    assert "encoder_agreement:" in promotion.release.reason
    assert "retrieval_quality: worse than the live release" in promotion.release.reason
    assert_nothing_harmed(handbook, live, before)
    assert len(named_in(gate(promotion, "retrieval_quality"), asked_of(changed))) >= 10


class Scrambled:
    """An encoder whose numbers stand in an order of their own for every text.

    The same text always has the same vector, so that only the search can tell.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray:
        """Vectors of unit length that say nothing about each other."""
        vectors = self._encoder.encode(texts, progress)
        return np.stack(
            [vector[_order(text, len(vector))] for text, vector in zip(texts, vectors, strict=True)]
        )


def _order(text: str, numbers: int) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    return np.random.default_rng(seed).permutation(numbers)


@contextmanager
def served(encoder: Encoder, model: str) -> Iterator[EncoderSettings]:
    """The settings of a real embeddings endpoint with the encoder behind it."""
    server = EmbeddingsServer(encoder)
    with server.running():
        yield EncoderSettings(
            backend="openai",
            model=model,
            base_url=server.url,
            api_key=SecretStr(KEY),
            dimensions=encoder.dimensions,
        )


def test_an_encoder_without_meaning(handbook: Deployment) -> None:
    live, before = handbook.live, handbook.answers()
    platform = handbook.platform
    encoder = make_encoder(platform.settings.encoder, platform.state_path)
    scrambled = Scrambled(encoder)
    scrambled.dimensions = encoder.dimensions  # type: ignore[attr-defined]
    with served(scrambled, "scrambled") as settings:  # type: ignore[arg-type]
        changed = handbook.changed(encoder=settings)
        promotion = offer(changed)

    assert promotion.release.status == "rejected"
    assert "encoder_agreement:" not in promotion.release.reason
    assert "retrieval_quality: worse than the live release" in promotion.release.reason
    assert_nothing_harmed(handbook, live, before)
    assert len(named_in(gate(promotion, "retrieval_quality"), asked_of(changed))) >= 10


def test_the_same_encoder_behind_an_endpoint(handbook: Deployment) -> None:
    platform = handbook.platform
    encoder = make_encoder(platform.settings.encoder, platform.state_path)
    with served(encoder, "the-same") as settings:
        promotion = offer(handbook.changed(encoder=settings))

    assert promotion.promoted, promotion.release.reason
    assert gate(promotion, "retrieval_quality").verdict == "passed"
