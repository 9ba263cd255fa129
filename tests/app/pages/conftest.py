"""One deployment and one browser for the tests of a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from rag_assets.platform.platform import Platform
from tests.evals.evaluation_dashboard.browser import launch
from tests.query.openai_server import OpenAIServer

from .site import released, serving


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Platform:
    return released(tmp_path_factory.mktemp("site"), model_cache)


@pytest.fixture(scope="module")
def address(platform: Platform) -> Iterator[str]:
    """The page of a service without an LLM."""
    with serving(Platform(platform.settings)) as found:
        yield found


# not for the session: as long as Playwright runs, this thread has an event loop that others trip over
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = launch(playwright)
        yield found
        found.close()


@pytest.fixture(scope="module")
def llm() -> Iterator[OpenAIServer]:
    with OpenAIServer().running() as running:
        yield running
