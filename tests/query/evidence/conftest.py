"""The real encoder, exported once for a session."""

from pathlib import Path

import pytest

from rag_assets.encoders.compiled import CompiledEncoder
from rag_assets.encoders.models import MINILM


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> CompiledEncoder:
    state = tmp_path_factory.mktemp("evidence")
    model_cache.mkdir(parents=True, exist_ok=True)
    (state / "models").symlink_to(model_cache, target_is_directory=True)
    encoder = CompiledEncoder(MINILM, state, batch_size=8)
    encoder.warm_up()
    return encoder
