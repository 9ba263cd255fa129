"""The encoder whose token vectors the rerankers use, and a cross-encoder made here."""

from pathlib import Path

import pytest

from rag_assets.encoders import Encoder, make_encoder
from rag_assets.platform.settings import EncoderSettings

from .tiny_cross_encoder import make_cross_encoder


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Encoder:
    state = tmp_path_factory.mktemp("rerankers")
    model_cache.mkdir(parents=True, exist_ok=True)
    (state / "models").symlink_to(model_cache, target_is_directory=True)
    return make_encoder(EncoderSettings(), state)


@pytest.fixture(scope="session")
def cross_encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small trained cross-encoder."""
    folder = tmp_path_factory.mktemp("cross-encoder")
    make_cross_encoder(folder)
    return folder
