"""Take the screenshots of the documentation, of the generated history.

python -m tests.evals.evaluation_dashboard.screenshots docs/images
"""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from evals.evaluation_dashboard.data import dashboard_data
from evals.evaluation_dashboard.export import write_folder
from evals.evaluation_dashboard.page import page_of

from .browser import launch, visit
from .history import NOW, PLANTED, write_history

# name, width, height, theme, what is scrolled to
SHOTS = (
    ("light", 1280, 1500, "light", "#content"),
    ("dark", 1280, 1700, "dark", "#regressed"),
    ("phone", 390, 1100, "light", "#content"),
)
COLOURS = 256


def main(images: Path) -> None:
    """Write ``dashboard-<name>.png`` for every one of ``SHOTS``."""
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        history = write_history(Path(place) / "home")
        index = write_folder(page_of(dashboard_data(history, NOW)), Path(place) / "page")
        browser = launch(playwright)
        for name, width, height, scheme, anchor in SHOTS:
            page = visit(browser, index.as_uri(), width=width, scheme=scheme).page  # type: ignore[arg-type]
            page.set_viewport_size({"width": width, "height": height})
            question = page.locator("summary", has_text=PLANTED["handbook-003"])
            question.first.click()
            page.evaluate("a => document.querySelector(a).scrollIntoView()", anchor)
            if anchor == "#content":
                page.evaluate("window.scrollTo(0, 0)")
            image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            image.quantize(COLOURS).save(images / f"dashboard-{name}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
