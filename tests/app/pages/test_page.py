"""The page for everybody: without barriers, in both themes, on phones, by keyboard, on paper."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from rag_assets.platform.platform import Platform
from rag_assets.releases.registry import Registry
from tests.releases.test_registry import candidate

from .chat import SECONDS, Chat, opened
from .site import STOLEN, WORLD_CUP

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 860}


@pytest.fixture
def chat(browser: Browser, address: str) -> Iterator[Chat]:
    with opened(browser, address) as found:
        yield found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_nothing_bars_anybody(browser: Browser, address: str, size: Any, scheme: Any) -> None:
    with opened(browser, address, viewport=size, color_scheme=scheme) as chat:
        tab = chat.page
        assert chat.barriers() == []
        tab.get_by_role("button", name="Filter").click()
        assert chat.barriers() == []
        chat.ask(WORLD_CUP)
        turn = chat.ask(STOLEN)
        turn.get_by_role("button", name="Not right").click()
        assert chat.barriers() == []
        assert tab.evaluate("document.documentElement.scrollWidth") == size["width"]
        turn.locator("button.cite").first.click()
        expect(chat.panel.locator("mark").first).to_be_visible(timeout=SECONDS)
        expect(chat.panel.locator(".doc-heading").first).to_be_attached(timeout=SECONDS)
        assert chat.barriers() == []
        tab.keyboard.press("Escape")
        turn.get_by_role("button", name="Why this answer").click()
        expect(chat.panel).to_contain_text("The release", timeout=SECONDS)
        assert chat.barriers() == []
        assert tab.evaluate("document.documentElement.scrollWidth") == size["width"]
        tab.keyboard.press("Escape")
        tab.get_by_role("button", name="Add documents").click()
        assert chat.barriers() == []


def test_a_barrier_would_be_found(chat: Chat) -> None:
    chat.page.evaluate(
        "document.querySelector('#main').append(Object.assign(document.createElement('img'), {src: ''}))"
    )
    assert [found[1] for found in chat.barriers()] == ["image-alt"]


def test_the_keyboard_is_enough(chat: Chat) -> None:
    tab = chat.page
    expect(tab.get_by_label("Your question")).to_be_focused()
    tab.keyboard.type(STOLEN)
    tab.keyboard.press("Shift+Enter")
    tab.keyboard.press("Backspace")
    tab.keyboard.press("Enter")
    expect(chat.last.locator("button.cite").first).to_be_visible(timeout=SECONDS)
    for _ in range(60):
        tab.keyboard.press("Shift+Tab")
        if tab.evaluate("document.activeElement.matches('button.cite')"):
            break
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert tab.evaluate(outline) == "solid"
    tab.keyboard.press("Enter")
    expect(chat.panel).to_be_visible()
    tab.keyboard.press("Escape")
    assert tab.evaluate("document.activeElement.matches('button.cite')")
    tab.keyboard.press("/")
    expect(tab.get_by_label("Your question")).to_be_focused()


def test_on_a_phone_an_open_panel_is_all_there_is(browser: Browser, address: str) -> None:
    with opened(browser, address, viewport=PHONE) as chat:
        turn = chat.ask(STOLEN)
        turn.locator("button.cite").first.click()
        expect(chat.panel).to_be_visible()
        assert chat.panel.bounding_box() == {"x": 0, "y": 0, **PHONE}
        assert chat.page.evaluate("document.querySelector('#main').inert")
        chat.panel.get_by_role("button", name="Close the panel").click()
        assert not chat.page.evaluate("document.querySelector('#main').inert")
        expect(turn.locator("button.cite").first).to_be_focused()


def test_the_theme_is_chosen_and_remembered(browser: Browser, address: str) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    with opened(browser, address, color_scheme="light") as chat:
        tab = chat.page
        light = tab.evaluate(background)
        tab.get_by_role("button", name="Theme: system").click()
        tab.get_by_role("button", name="Theme: light").click()
        dark = tab.evaluate(background)
        assert dark != light
        tab.reload()
        tab.wait_for_selector("html[data-ready]", state="attached")
        assert tab.evaluate(background) == dark
        tab.get_by_role("button", name="Theme: dark").click()
        assert tab.evaluate(background) == light


def test_whoever_wants_no_motion_gets_none(browser: Browser, address: str) -> None:
    moving = "getComputedStyle(document.querySelector('.send')).transitionDuration"
    with opened(browser, address, reduced_motion="no-preference") as chat:
        assert chat.page.evaluate(moving) != "0s"
    with opened(browser, address, reduced_motion="reduce") as chat:
        assert chat.page.evaluate(moving) == "0s"


def test_on_paper_there_are_questions_answers_and_sources(chat: Chat) -> None:
    turn = chat.ask(STOLEN)
    chat.page.emulate_media(media="print")
    expect(turn.locator(".answer")).to_be_visible()
    expect(turn.locator(".source .quote").first).to_be_visible()
    for name in (".top", ".composer", ".actions"):
        expect(chat.page.locator(name).first).to_be_hidden()


def test_the_page_is_served_under_a_strict_policy(chat: Chat, address: str) -> None:
    import httpx

    for path in ("", "static/main.js", "static/base.css", "evals/"):
        policy = httpx.get(address + path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    answer = httpx.get(f"{address}static/main.js")
    again = httpx.get(f"{address}static/main.js", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert httpx.get(f"{address}static/..%2frouter.py").status_code == 404


def test_the_live_release_is_shown_however_many_came_after_it(
    browser: Browser, platform: Platform, address: str
) -> None:
    registry = Registry(platform.database)
    for _ in range(120):
        registry.reject(candidate(registry).id, "a test", {})
    with opened(browser, address) as chat:
        expect(chat.page.locator("#release")).to_contain_text("Release 1 ·")
        expect(chat.page.locator("#which option").first).to_have_text("Live: release 1")
