"""The generated history, its page on the disk and on a server with a strict policy, a browser."""

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from evals.evaluation_dashboard.data import DashboardData, dashboard_data
from evals.evaluation_dashboard.export import write_folder
from evals.evaluation_dashboard.page import Page, page_of
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings

from .browser import launch
from .history import NOW, write_history

# what the service sends with its pages: no inline script, no inline style, no eval
STRICT = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:"


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    return write_history(tmp_path_factory.mktemp("history"), hostile=True)


@pytest.fixture(scope="session")
def data(history: Platform) -> DashboardData:
    return dashboard_data(history, NOW)


@pytest.fixture(scope="session")
def page(data: DashboardData) -> Page:
    return page_of(data)


@pytest.fixture
def empty(tmp_path: Path) -> DashboardData:
    return dashboard_data(Platform(Settings(home=str(tmp_path / "empty"))), NOW)


@pytest.fixture(scope="session")
def folder(page: Page, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(page, tmp_path_factory.mktemp("dashboard")).parent


@pytest.fixture(scope="session")
def address(folder: Path) -> Iterator[str]:
    """The folder behind a server that sends the strict policy."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            self.send_header("Content-Security-Policy", STRICT)
            super().end_headers()

        def log_message(self, *values: object) -> None:
            pass

    handler = functools.partial(Handler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


# not for the session: as long as Playwright runs, this thread has an event loop that others trip over
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = launch(playwright)
        yield found
        found.close()
