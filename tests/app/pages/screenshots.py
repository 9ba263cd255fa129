"""Take the screenshots of the documentation, of a few documents of the sample handbook.

python -m tests.app.pages.screenshots docs/images [folder with exported encoders]
"""

import io
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from rag_assets.platform.platform import Platform
from tests.evals.evaluation_dashboard.browser import launch

from .chat import SECONDS, Chat, opened
from .site import STOLEN, WORLD_CUP, released, serving

DESK = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 760}
COLOURS = 256
WIND = "What is the measuring range of the TW40 for wind speed?"


def save(page: Page, path: Path) -> None:
    """Write what is to be seen; few colours are enough, and need few bytes."""
    page.wait_for_timeout(600)  # until nothing moves any more
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    image.quantize(COLOURS).save(path, optimize=True)


def passage(chat: Chat) -> None:
    """A citation, opened in its document."""
    turn = chat.ask(STOLEN)
    turn.locator("button.cite").first.click()
    expect(chat.panel.locator(".doc-heading").first).to_be_attached(timeout=SECONDS)


def why(chat: Chat) -> None:
    """Where an answer comes from."""
    turn = chat.ask(WIND)
    turn.get_by_role("button", name="Why this answer").click()
    expect(chat.panel).to_contain_text("The release", timeout=SECONDS)


def abstained(chat: Chat) -> None:
    """No answer, and what came closest."""
    chat.ask(WORLD_CUP)


def feedback(chat: Chat) -> None:
    """A judgement, half written."""
    turn = chat.ask(STOLEN)
    turn.get_by_role("button", name="Not right").click()
    form = turn.get_by_role("form", name="Feedback on this answer")
    form.get_by_label("What is wrong or missing?").fill("It should say who to call at night.")
    form.get_by_label("Find another passage").scroll_into_view_if_needed()


def phone(chat: Chat) -> None:
    """An answer on a phone."""
    chat.ask(STOLEN)


SHOTS: tuple[tuple[str, Any, dict[str, Any]], ...] = (
    ("chat-passage", passage, {"viewport": DESK, "color_scheme": "light"}),
    ("chat-why", why, {"viewport": DESK, "color_scheme": "dark"}),
    ("chat-abstained", abstained, {"viewport": DESK, "color_scheme": "light"}),
    ("chat-feedback", feedback, {"viewport": DESK, "color_scheme": "light"}),
    ("chat-phone", phone, {"viewport": PHONE, "color_scheme": "light"}),
    ("chat-phone-dark", phone, {"viewport": PHONE, "color_scheme": "dark"}),
)


def take(browser: Browser, address: str, images: Path) -> None:
    """Write ``<name>.png`` for every one of ``SHOTS``."""
    for name, prepare, context in SHOTS:
        with opened(browser, address, **context) as chat:
            prepare(chat)
            save(chat.page, images / f"{name}.png")


def main(images: Path, models: Path | None = None) -> None:
    """Make the deployment, serve it, and take every screenshot."""
    images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        platform = released(folder / "site", models or folder / "models")
        with serving(Platform(platform.settings)) as address, sync_playwright() as playwright:
            browser = launch(playwright)
            take(browser, address, images)
            browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
