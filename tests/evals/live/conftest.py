"""A released deployment with rights, in which some questions have been asked."""

from pathlib import Path

import pytest

from rag_assets.platform.platform import Platform
from tests.evals.judges.conftest import judge, running_judge
from tests.query import restricted

__all__ = ["judge", "platform", "running_judge"]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Platform:
    return restricted.released(tmp_path_factory.mktemp("live"), model_cache)
