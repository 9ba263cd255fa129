"""Two running services of two deployments, and everything they need, to be broken and mended.

``caller`` asks a service with a PostgreSQL, a Redis and an LLM that asks who calls and answers two
questions at a time; ``uploader`` one that keeps everything on one small disk and takes uploads.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from rag_app.access.keys import make_key
from rag_assets.platform.platform import Platform
from rag_assets.service_records.keys import ApiKeys
from tests.app.api.running import Service, serving
from tests.app.cache.conftest import Redis
from tests.jobs.harness import run_stages
from tests.postgres import create_database

from .asking import ANSWER, CANARY, Caller
from .servers import LLM, Postgres

DOCUMENTS = {
    "travel.md": "# Travel policy\n\nA room in London may cost up to 165 pounds per night.\n",
    "bands.md": f"# Bands\n\nA room in London may cost the {CANARY} band 900 pounds.\n",
}
SETTINGS = """
home = ".ragline"

[sources.docs]
path = "documents"
acl = ["public"]

[sources.uploads]
path = "uploads"
acl = ["public"]

[server]
rate_limit = ""
uploads_source = "uploads"
max_concurrent_questions = 2

[llm]
model = "tiny"
retries = 0
timeout_seconds = 2
breaker_failures = 1000
"""
DISK_SIZE = "32m"


@contextmanager
def variables(environment: dict[str, str]) -> Iterator[None]:
    """Environment variables for as long as this lasts."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield


def released(folder: Path, models: Path, environment: dict[str, str]) -> Platform:
    """A deployment with a release; one of its documents is for the group hr."""
    (folder / "ragline.toml").write_text(SETTINGS, encoding="utf-8")
    for name in ("documents", "uploads", ".ragline"):
        (folder / name).mkdir(exist_ok=True)
    models.mkdir(parents=True, exist_ok=True)
    (folder / ".ragline" / "models").symlink_to(models, target_is_directory=True)
    for name, text in DOCUMENTS.items():
        (folder / "documents" / name).write_text(text, encoding="utf-8")
    (folder / "documents" / "bands.md.meta.toml").write_text('acl = ["hr"]\n', encoding="utf-8")
    with variables(environment):
        platform = Platform.load(folder / "ragline.toml")
    run_stages(platform)
    return platform


@pytest.fixture(scope="package")
def llm_server() -> Iterator[LLM]:
    server = LLM()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def llm(llm_server: LLM) -> LLM:
    """The LLM of ``caller``; as long as no test says otherwise it answers well."""
    llm_server.reset(default=ANSWER)
    return llm_server


@pytest.fixture(scope="package")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    server = Redis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="package")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(scope="package")
def service(
    tmp_path_factory: pytest.TempPathFactory,
    model_cache: Path,
    llm_server: LLM,
    redis_server: Redis,
    postgres: Postgres,
) -> Iterator[Service]:
    environment = {
        "RAG_LLM__BASE_URL": llm_server.url,
        "RAG_LLM__API_KEY": f"sk-{CANARY}",
        "RAG_CACHE__REDIS_URL": redis_server.url,
        "RAG_DATABASE_URL": create_database(postgres.url).replace(":@", f":{CANARY}@"),
        "RAG_AUTH__ENABLED": "true",
    }
    folder = tmp_path_factory.mktemp("faults")
    platform = released(folder, model_cache, environment)
    made = make_key("reader", ("public",), ("read", "feedback"), timedelta(days=1))
    ApiKeys(platform.database).add(made.key)
    platform.close()
    with serving(folder, environment=environment) as running:
        running.key = made.text
        yield running


@pytest.fixture
def caller(service: Service, llm: LLM) -> Caller:
    """Somebody who may read what is public."""
    return Caller(service)


@pytest.fixture(scope="package")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path | None]:
    """A small disk; None where this machine does not let us have one."""
    folder = tmp_path_factory.mktemp("disk")
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, check=False, capture_output=True).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="package")
def small_service(
    tmp_path_factory: pytest.TempPathFactory, model_cache: Path, disk: Path | None
) -> Iterator[Service]:
    folder = disk / "deployment" if disk else tmp_path_factory.mktemp("small")
    folder.mkdir(exist_ok=True)
    released(folder, model_cache, {}).close()
    with serving(folder) as running:
        yield running


@pytest.fixture
def uploader(small_service: Service) -> Caller:
    """Anybody, in front of a service without authentication."""
    return Caller(small_service)
