"""One released deployment for the whole folder; every test damages a copy of its own."""

from pathlib import Path

import pytest

from rag_assets.platform.platform import Platform
from tests.verification.planted import copied, released


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Platform:
    return released(tmp_path_factory.mktemp("verified"), model_cache)


@pytest.fixture
def platform(sound: Platform, tmp_path: Path) -> Platform:
    return copied(sound, tmp_path)
