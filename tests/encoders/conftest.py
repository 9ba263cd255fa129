"""The compiled encoder of the tests: exported once for a session."""

from pathlib import Path

import pytest

from rag_assets.encoders.compiled import CompiledEncoder
from rag_assets.encoders.models import MINILM


@pytest.fixture(scope="session")
def encoder_state(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    """A state folder whose exported models are those of the whole session."""
    state = tmp_path_factory.mktemp("encoders")
    model_cache.mkdir(parents=True, exist_ok=True)
    (state / "models").symlink_to(model_cache, target_is_directory=True)
    return state


@pytest.fixture(scope="session")
def compiled(encoder_state: Path) -> CompiledEncoder:
    encoder = CompiledEncoder(MINILM, encoder_state, batch_size=8)
    encoder.warm_up()
    return encoder
