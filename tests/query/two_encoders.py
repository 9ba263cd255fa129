"""A deployment whose encoder was changed: release 1 by one encoder, release 2 by another."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rag_assets.encoders import Encoder, Progress, make_encoder
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import EncoderSettings, QuerySettings
from tests.encoders.embeddings_server import KEY, EmbeddingsServer
from tests.query.editions import deployment, release_edition
from tests.query.restricted import changed


class Reversed:
    """Another model of the same length: its vectors mean nothing beside those of the first."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray:
        vectors: np.ndarray = self._encoder.encode(texts)[:, ::-1]
        return vectors


class TwoEncoders(NamedTuple):
    """The deployment with its settings of then and of now, and the server of the new encoder."""

    before: Platform
    now: Platform
    server: EmbeddingsServer


@contextmanager
def two_encoders(folder: Path, models: Path) -> Iterator[TwoEncoders]:
    """Release edition 1 with the default encoder and edition 2 with one behind a server."""
    before = deployment(folder, models)
    encoder = make_encoder(before.settings.encoder, before.state_path)
    server = EmbeddingsServer(Reversed(encoder))  # type: ignore[arg-type]
    with server.running():
        address = {"base_url": server.url, "api_key": KEY}
        query = QuerySettings(refresh_seconds=0.0)
        before = changed(before, encoder=EncoderSettings.model_validate(address), query=query)
        release_edition(before, 1)
        served = {"backend": "openai", "model": "reversed", **address}
        now = changed(before, encoder=EncoderSettings.model_validate(served))
        release_edition(now, 2)
        yield TwoEncoders(before, now, server)
