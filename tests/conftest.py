"""What several test folders need: a deployment in a temporary folder, real servers, real data."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import PostgresServer
from tests.scheduling import pytest_xdist_make_scheduler
from tests.vllm.fixtures import running_vllm, vllm_server

# a fixture that several folders import is made once for each of them: one server is enough for all
__all__ = ["pytest_xdist_make_scheduler", "running_vllm", "vllm_server"]

ROOT = Path(__file__).parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"

os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
os.environ.setdefault("RAGAS_DO_NOT_TRACK", "true")
os.environ.setdefault("DEEPEVAL_TELEMETRY_OPT_OUT", "1")
os.environ.setdefault("DEEPEVAL_DISABLE_DOTENV", "1")


# a busy machine is no reason to fail
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """No variable outlives a test: an ingest points its process at its Dagster instance."""
    with patch.dict(os.environ):
        yield


@pytest.fixture
def shared_data() -> Path:
    """The folder of real data; tests that need it are skipped, visibly, where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the real data of {SHARED_DATA.name} is not on this machine")
    return SHARED_DATA


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One exported encoder for the whole session: an export takes several seconds."""
    shared = os.environ.get("RAGLINE_TEST_MODELS")
    return Path(shared) if shared else tmp_path_factory.mktemp("models")


Deploy = Callable[..., Path]


@pytest.fixture
def deploy(tmp_path: Path, model_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Make the working folder of a deployment: ``deploy(toml)`` writes its settings and enters it."""

    def make(toml: str = "", name: str = "deployment") -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "ragline.toml").write_text(toml or DEFAULT_SETTINGS, encoding="utf-8")
        (folder / "documents").mkdir(exist_ok=True)
        models = folder / ".ragline" / "models"
        models.parent.mkdir(exist_ok=True)
        if not models.exists():
            model_cache.mkdir(parents=True, exist_ok=True)
            models.symlink_to(model_cache, target_is_directory=True)
        monkeypatch.chdir(folder)
        monkeypatch.delenv("RAG_CONFIG", raising=False)
        monkeypatch.delenv("RAG_HOME", raising=False)
        monkeypatch.delenv("DAGSTER_HOME", raising=False)
        return folder

    return make


DEFAULT_SETTINGS = """
[sources.docs]
kind = "folder"
path = "documents"
acl = ["public"]
"""


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL server for the session."""
    with PostgresServer() as server:
        yield server.url
