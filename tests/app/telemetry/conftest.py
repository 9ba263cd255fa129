"""One small deployment, served with JSON logs, traces to a real collector and a scripted LLM."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.api.running import Service, serving
from tests.app.commands import ragline
from tests.app.telemetry.otlp_receiver import Receiver, receiving
from tests.query.openai_server import OpenAIServer

SETTINGS = """
[sources.docs]
path = "documents"
acl = ["public"]

[telemetry]
log_format = "json"
otlp_headers = { "x-collector-key" = "sk-of-the-collector" }

[llm]
model = "tiny"
api_key = "sk-of-the-llm-server"
retries = 0
"""
TEXT = "# Travel policy\n\nA room in London may cost up to 165 pounds per night.\n"
SECRETS = ("sk-of-the-collector", "sk-of-the-llm-server")


@pytest.fixture(scope="package")
def deployment(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    folder = tmp_path_factory.mktemp("observed")
    (folder / "ragline.toml").write_text(SETTINGS, encoding="utf-8")
    (folder / "documents").mkdir()
    (folder / ".ragline").mkdir()
    model_cache.mkdir(parents=True, exist_ok=True)
    (folder / ".ragline" / "models").symlink_to(model_cache, target_is_directory=True)
    (folder / "documents" / "travel.md").write_text(TEXT, encoding="utf-8")
    done = ragline("ingest", folder=folder)
    assert done.code == 0, done.errors
    return folder


@pytest.fixture(scope="package")
def collector() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="package")
def llm() -> Iterator[OpenAIServer]:
    with OpenAIServer().running() as server:
        yield server


@pytest.fixture(scope="package")
def service(deployment: Path, collector: Receiver, llm: OpenAIServer) -> Iterator[Service]:
    environment = {
        "RAG_LLM__BASE_URL": llm.url,
        "RAG_TELEMETRY__OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    with serving(deployment, environment=environment) as running:
        yield running
