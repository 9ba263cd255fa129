"""Chromium, and a page in it that must stay on this machine and say nothing on the console."""

import shutil
from dataclasses import dataclass, field
from typing import Any, Literal

from playwright.sync_api import Browser, Page, Playwright, Route

NAMES = ("chromium", "chromium-browser", "google-chrome")


def launch(playwright: Playwright) -> Browser:
    """The system's Chromium ('make browser' installs it), else the one that Playwright brought."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])


@dataclass
class Visit:
    """A page that is open, and what it did that it should not."""

    page: Page
    said: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def visit(
    browser: Browser,
    address: str,
    *,
    width: int = 1280,
    scheme: Literal["light", "dark"] = "light",
    **context: Any,
) -> Visit:
    """Open the dashboard and wait until its figures are drawn.

    Args:
        address: what may be asked for begins with it, or lies beside it.
        scheme: what the system prefers.
    """
    size = {"width": width, "height": 900}
    page = browser.new_context(viewport=size, color_scheme=scheme, **context).new_page()  # type: ignore[arg-type]
    found = Visit(page)

    def guard(route: Route) -> None:
        if route.request.url.startswith((address.rsplit("/", 1)[0], "data:")):
            route.continue_()
        else:
            found.left.append(route.request.url)
            route.abort()

    page.context.route("**/*", guard)
    page.on("console", lambda message: found.said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: found.said.append(str(error)))
    page.goto(address)
    drawn(page)
    return found


def drawn(page: Page, theme: str = "") -> None:
    """Wait until the figures are drawn, in some theme."""
    value = f"={theme}" if theme else ""
    page.wait_for_selector(f"html[data-drawn{value}]:not([data-drawn=''])", state="attached")
