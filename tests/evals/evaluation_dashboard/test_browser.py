"""The page in a real browser: silent, offline, readable, and usable by keyboard alone."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from evals.evaluation_dashboard.data import DashboardData
from evals.evaluation_dashboard.export import write_folder, write_single_file
from evals.evaluation_dashboard.page import Page, page_of

from .browser import Visit, drawn, visit
from .history import HOSTILE, PLANTED, REJECTED

# every text that is shown: its colour and what is behind it, as the browser computed them
CONTRASTS = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b]
    .map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let e = node; e; e = e.parentElement) {
      const found = parse(getComputedStyle(e).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
  };
  const poor = [];
  let texts = 0;
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || e.closest(".hidden, .skip, noscript, script, style")) continue;
    const style = getComputedStyle(e);
    const colour = parse(e.closest("svg") ? style.fill : style.color);
    const [a, b] = [light(colour), light(behind(e.closest("svg") ? e.closest(".chart") : e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    texts += 1;
    if (ratio < 4.5) poor.push([e.textContent.trim().slice(0, 40), ratio]);
  }
  return { texts, poor };
}"""


@pytest.fixture(scope="module")
def single(page: Page, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_single_file(page, tmp_path_factory.mktemp("single") / "dashboard.html")


@pytest.fixture
def opened(browser: Browser, address: str) -> Iterator[Visit]:
    found = visit(browser, address)
    yield found
    assert (found.said, found.left) == ([], [])
    found.page.context.close()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("kind", ["server", "folder", "single"])
def test_it_opens_anywhere_silently_and_fits(
    browser: Browser, address: str, folder: Path, single: Path, kind: str, width: int
) -> None:
    places = {
        "server": address,
        "folder": (folder / "index.html").as_uri(),
        "single": single.as_uri(),
    }
    found = visit(browser, places[kind], width=width)
    tab = found.page
    for details in tab.locator("details:visible").all()[:12]:
        details.evaluate("details => { details.open = true }")
    assert tab.locator(".chart svg").count() == 9
    assert tab.locator(".chart svg path[aria-label], .chart svg path").count() > 100
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    assert (found.said, found.left) == ([], [])
    assert tab.evaluate("window.broken") is None
    assert tab.locator("summary", has_text=HOSTILE).first.is_visible()
    tab.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_in_both_themes(browser: Browser, address: str, scheme: Any) -> None:
    found = visit(browser, address, scheme=scheme)
    for details in found.page.locator("details:visible").all()[:12]:
        details.evaluate("details => { details.open = true }")
    contrasts = found.page.evaluate(CONTRASTS)
    assert contrasts["texts"] > 300
    assert contrasts["poor"] == []
    found.page.context.close()


def test_the_theme_is_chosen_and_remembered(browser: Browser, address: str) -> None:
    found = visit(browser, address, scheme="light")
    tab = found.page
    background = "getComputedStyle(document.body).backgroundColor"
    light = tab.evaluate(background)
    tab.get_by_label("Theme").select_option("dark")
    drawn(tab, "dark")
    dark = tab.evaluate(background)
    assert dark != light
    tab.reload()
    drawn(tab, "dark")
    assert tab.get_by_label("Theme").input_value() == "dark"
    tab.get_by_label("Theme").select_option("system")
    drawn(tab, "light")
    assert tab.evaluate(background) == light
    tab.emulate_media(color_scheme="dark")
    drawn(tab, "dark")
    assert tab.evaluate(background) == dark
    assert found.said == []
    tab.context.close()


def tab_to(tab: Tab, selector: str) -> None:
    """Reach an element with the Tab key alone, and see that one can see where one is."""
    for _ in range(200):
        tab.keyboard.press("Tab")
        if tab.evaluate("s => document.activeElement.matches(s)", selector):
            width = tab.evaluate(
                "parseFloat(getComputedStyle(document.activeElement).outlineWidth)"
            )
            assert width >= 2
            return
    raise AssertionError(f"the Tab key does not reach {selector}")


def rows(tab: Tab) -> list[str]:
    return tab.locator("#regressed-table tbody tr:visible summary").all_inner_texts()


def test_from_the_filters_to_both_rankings_by_keyboard_alone(opened: Visit) -> None:
    tab = opened.page
    everything = tab.locator("#regressed-count").inner_text()
    tab_to(tab, "#filter-set")
    tab.keyboard.type("handbook")
    assert tab.locator("#filter-set").input_value() == "handbook"
    tab_to(tab, "#filter-release")
    tab.keyboard.type(f"Release {REJECTED}")
    assert tab.locator("#filter-release").input_value() == str(REJECTED)
    assert tab.locator("#regressed-count").inner_text() != everything
    expected = {*PLANTED.values(), HOSTILE} - {PLANTED["handbook-003"]}
    assert set(rows(tab)) == expected
    tab_to(tab, "[data-key=question]")
    tab.keyboard.press("Enter")
    assert rows(tab) == tab.evaluate("t => t.sort((a, b) => a.localeCompare(b))", list(expected))
    assert tab.locator("th[aria-sort=ascending]").inner_text().startswith("Question")
    tab.keyboard.press("Space")
    assert tab.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    tab_to(tab, "#regressed-table summary")
    tab.keyboard.press("Enter")
    opened_row = tab.locator("#regressed-table details[open]")
    before, now = (part.inner_text() for part in opened_row.locator(".rankings > div").all())
    assert "relevant" in before
    assert "now not in the list" in before
    assert "relevant" not in now


def test_a_tag_filters_figures_and_questions(opened: Visit) -> None:
    tab = opened.page
    tab.get_by_label("Tag", exact=True).select_option("tables")
    assert all(
        "tables" in row.get_attribute("data-tags")
        for row in tab.locator("#regressed-table tbody tr:visible").all()
    )
    card = tab.locator("[data-figure=retrieval_quality]")
    card.get_by_text("Show the numbers").click()
    tags = card.locator(".numbers tbody tr td:nth-child(3)").all_inner_texts()
    assert set(tags) == {"tables"}
    tab.get_by_label("Set", exact=True).select_option("support_tickets")
    sets = card.locator(".numbers tbody tr td:nth-child(2)").all_inner_texts()
    assert set(sets) == {"support_tickets"}
    hostile = next(
        value
        for option in tab.locator("#filter-tag option").all()
        if (value := option.get_attribute("value") or "").startswith("x'")
    )
    tab.get_by_label("Tag", exact=True).select_option(hostile)
    assert card.locator(".nothing").is_visible()
    assert tab.locator("#regressed-table tbody tr:visible").count() == 0
    tab.get_by_role("button", name="Reset").click()
    assert not card.locator(".nothing").is_visible()


def test_more_questions_are_shown_when_asked_for(opened: Visit) -> None:
    tab = opened.page
    first = len(rows(tab))
    tab.get_by_role("button", name="Show more").click()
    assert first < len(rows(tab)) <= 2 * first


def test_a_choice_is_followed_by_the_figure_beside_it(opened: Visit) -> None:
    tab = opened.page
    faithfulness = tab.locator("[data-figure=live_faithfulness]")
    before = faithfulness.locator("svg").inner_html()
    faithfulness.get_by_label("Metric", exact=True).select_option("ragline.support")
    coverage = tab.locator("[data-figure=judge_coverage]").get_by_label("Metric", exact=True)
    assert coverage.input_value() == "ragline.support"
    tab.wait_for_function(
        "old => document.querySelector('[data-figure=live_faithfulness] svg').innerHTML !== old",
        arg=before,
    )


def test_the_structure_is_one_that_a_screen_reader_can_follow(opened: Visit) -> None:
    tab = opened.page
    levels = tab.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].map(h => Number(h.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    # a level is never skipped on the way down
    assert all(after <= level + 1 for level, after in itertools.pairwise(levels))
    unnamed = tab.evaluate(
        "[...document.querySelectorAll('select,button')].filter(e => !(e.labels?.length"
        " || e.textContent.trim() || e.ariaLabel)).map(e => e.outerHTML)"
    )
    assert unnamed == []
    assert tab.evaluate("document.documentElement.lang") == "en"
    ids = tab.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    images = tab.locator(".chart[role=img]")
    assert all(len(image.get_attribute("aria-label") or "") > 40 for image in images.all())


def test_an_empty_deployment_is_told_what_to_do(
    browser: Browser, empty: DashboardData, tmp_path: Path
) -> None:
    index = write_folder(page_of(empty), tmp_path / "out")
    found = visit(browser, index.as_uri(), width=390)
    text = found.page.locator("body").inner_text()
    for hint in ("ragline ingest", "query_log", "live_faithfulness", "query_costs"):
        assert hint in text
    assert found.page.evaluate("document.documentElement.scrollWidth") == 390
    assert (found.said, found.left) == ([], [])
    found.page.context.close()
