"""A released deployment with rights, a scripted LLM, and a scripted judge."""

from pathlib import Path

import pytest

from rag_assets.platform.platform import Platform
from rag_assets.query.engine import QueryEngine
from rag_assets.query.pinned import pinned_engine
from tests.evals.judges.conftest import judge, running_judge, short_waits
from tests.query.conftest import server, shared_server
from tests.query.restricted import released

__all__ = ["judge", "running_judge", "server", "shared_server", "short_waits"]


@pytest.fixture(scope="package")
def platform(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Platform:
    return released(tmp_path_factory.mktemp("answers"), model_cache)


@pytest.fixture(scope="package")
def engine(platform: Platform) -> QueryEngine:
    return pinned_engine(platform)
