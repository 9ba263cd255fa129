"""Take the screenshots of the Dagster UI that the documentation shows.

It needs a deployment that has ingested something, Debian's ``chromium`` and the dev extra:

    RAG_HOME=.ragline/demo .venv/bin/python docs/screenshot.py
"""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).with_name("images")
CHROMIUM = "/usr/bin/chromium"
PAGES = {
    "lineage": "/assets/release?view=lineage&lineageScope=upstream&lineageDepth=5",
    "asset": "/assets/chunks?view=overview",
    "checks": "/assets/release?view=checks",
    "partitions": "/assets/vector_index?view=partitions",
}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(url: str, seconds: float = 90) -> None:
    """Wait until a server answers."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).read()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def capture(page: Page, base: str) -> None:
    """Open every page and keep its picture."""
    for name, path in PAGES.items():
        page.goto(base + path, wait_until="load")
        page.wait_for_timeout(6000)
        for label in ("Close", "Skip", "Dismiss"):
            button = page.get_by_role("button", name=label, exact=True)
            if button.count():
                button.first.click()
        page.wait_for_timeout(500)
        page.screenshot(path=str(IMAGES / f"{name}.png"))


def main() -> None:
    """Start the UI, take the pictures, stop it."""
    IMAGES.mkdir(exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "rag_app.cli", "ui", "--port", str(port)]
    server = subprocess.Popen(command, env={**os.environ}, start_new_session=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/server_info")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM,
                args=[
                    "--no-sandbox",
                    "--disable-background-networking",
                    "--disable-component-update",
                ],
            )
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            capture(page, f"http://127.0.0.1:{port}")
            browser.close()
    finally:
        os.killpg(server.pid, 2)
        server.wait(timeout=60)


if __name__ == "__main__":
    main()
