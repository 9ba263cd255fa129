"""One small deployment and two servers of it for all tests of this folder."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from rag_app.access.keys import make_key
from rag_assets.platform.platform import Platform
from rag_assets.service_records.keys import ApiKeys
from tests.app.api.running import Service, serving
from tests.app.commands import ragline
from tests.query.openai_server import OpenAIServer

DOCUMENTS = {
    "travel.md": "# Travel policy\n\n## Hotels\n\nA room in London may cost up to 165 pounds per "
    "night, breakfast included. In Germany the limit is 135 euros.\n\n## Rail\n\nRail is the normal "
    "choice for journeys of up to six hours. First class may be booked on rides over three hours.\n",
    "holidays.md": "# Holidays\n\nEvery employee has 28 days of paid holiday in a year. Up to five "
    "days may be carried over to the next year.\n",
    "laptops.md": "# Laptops\n\nWhen a laptop is stolen, call the service desk on extension 4400 at "
    "once. The service desk locks the laptop remotely.\n",
    "salaries.md": "# Salary bands\n\nThe marmalade band starts at 81,234 pounds a year.\n",
}
SETTINGS = """
home = ".ragline"

[sources.docs]
kind = "folder"
path = "documents"
acl = ["public"]

[sources.uploads]
kind = "folder"
path = "uploads"
acl = ["public"]

[server]
uploads_source = "uploads"
rate_limit = ""
shutdown_seconds = 20

[cache]
enabled = false

[llm]
timeout_seconds = 60
retries = 0
breaker_failures = 1000
"""


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    """The folder of a deployment with a release; the salaries are for the group hr."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "ragline.toml").write_text(SETTINGS, encoding="utf-8")
    for name in ("documents", "uploads", ".ragline"):
        (folder / name).mkdir()
    model_cache.mkdir(parents=True, exist_ok=True)
    (folder / ".ragline" / "models").symlink_to(model_cache, target_is_directory=True)
    for name, text in DOCUMENTS.items():
        (folder / "documents" / name).write_text(text, encoding="utf-8")
    sidecar = folder / "documents" / "salaries.md.meta.toml"
    sidecar.write_text('acl = ["hr"]\n', encoding="utf-8")
    done = ragline("ingest", folder=folder)
    assert done.code == 0, done.errors
    return folder


@pytest.fixture(scope="session")
def llm_server() -> Iterator[OpenAIServer]:
    """A scripted LLM server for the session."""
    with OpenAIServer().running() as running:
        yield running


@pytest.fixture
def llm(llm_server: OpenAIServer) -> OpenAIServer:
    """The LLM server of ``service``; give it a script."""
    llm_server.reset()
    return llm_server


@pytest.fixture(scope="session")
def open_service(deployment: Path, llm_server: OpenAIServer) -> Iterator[Service]:
    environment = {"RAG_LLM__BASE_URL": llm_server.url}
    with serving(deployment, environment=environment) as running:
        yield running
        assert not running.errors()


@pytest.fixture
def service(open_service: Service, llm: OpenAIServer) -> Service:
    """A server without authentication and with a scripted LLM."""
    return open_service


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    """A client of ``service``."""
    with service.client() as client:
        yield client


@pytest.fixture
def live(client: httpx.Client) -> int:
    """The live release."""
    return int(client.get("/v1/releases").json()["live"])


@pytest.fixture(scope="session")
def platform(deployment: Path) -> Platform:
    """The deployment's database and settings, to look at from the outside."""
    return Platform.load(deployment / "ragline.toml")


@pytest.fixture(scope="session")
def guarded(deployment: Path, platform: Platform) -> Iterator[Service]:
    """A server that asks who calls; ``key`` is an administrator's."""
    with serving(deployment, environment={"RAG_AUTH__ENABLED": "true"}) as running:
        running.key = new_key(platform, scopes=("admin",))
        yield running
        assert not running.errors()


def new_key(platform: Platform, groups: tuple[str, ...] = (), scopes: tuple[str, ...] = ()) -> str:
    """A new API key."""
    made = make_key("test", groups, scopes or ("read", "feedback"), timedelta(days=1))
    ApiKeys(platform.database).add(made.key)
    return made.text
