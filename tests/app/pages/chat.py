"""The chat page in a browser, as a reader uses it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.conftest import ROOT

AXE = ROOT / ".node" / "node_modules" / "axe-core" / "axe.min.js"
SECONDS = 90_000.0  # milliseconds: the machine may be busy
SERIOUS = ("serious", "critical")
AXE_RUN = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
  .map((v) => [v.impact, v.id, v.nodes.map((n) => n.target.join(" ") + ": " + n.failureSummary)])"""
# the browser itself says that on its console when a response has such a status
REFUSED = re.compile(r"Failed to load resource: .* status of (4\d\d|5\d\d)")


@dataclass
class Chat:
    """The page, and what it did that it should not.

    Attributes:
        said: on the console.
        left: addresses elsewhere that were asked for.
        refused: statuses of responses that are errors.
    """

    page: Page
    said: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def ask(self, question: str) -> Locator:
        """Type a question, press Enter, wait for the end; gives its turn."""
        self.begin(question)
        expect(self.page.locator("#send")).to_be_visible(timeout=SECONDS)
        return self.last

    def begin(self, question: str) -> None:
        """Type a question and press Enter."""
        self.page.get_by_label("Your question").fill(question)
        self.page.keyboard.press("Enter")

    @property
    def last(self) -> Locator:
        """The newest question with its answer."""
        return self.page.locator("article.turn").last

    @property
    def panel(self) -> Locator:
        """What lies beside the answers."""
        return self.page.locator("#panel")

    def barriers(self) -> list[Any]:
        """What axe-core finds serious."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        return [found for found in self.page.evaluate(AXE_RUN) if found[0] in SERIOUS]


@contextmanager
def opened(browser: Browser, address: str, **context: Any) -> Iterator[Chat]:
    """Open the page; at the end it must have stayed at home, and said nothing of its own."""
    context.setdefault("viewport", {"width": 1280, "height": 860})
    tab = browser.new_context(**context).new_page()
    chat = Chat(tab)

    def guard(route: Route) -> None:
        if route.request.url.startswith(address):
            route.continue_()
        else:
            chat.left.append(route.request.url)
            route.abort()

    def console(text: str) -> None:
        refused = REFUSED.search(text)
        if refused:
            chat.refused.append(refused[1])
        else:
            chat.said.append(text)

    tab.context.route("**/*", guard)
    tab.on("console", lambda message: console(message.text))
    tab.on("pageerror", lambda error: chat.said.append(str(error)))
    tab.goto(address)
    tab.wait_for_selector("html[data-ready]", state="attached", timeout=SECONDS)
    yield chat
    assert (chat.said, chat.left) == ([], [])
    assert tab.evaluate("window.broken") is None
    tab.context.close()
