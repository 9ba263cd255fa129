"""Asking in a real browser: the stream, its citations, passages, lineage, and what goes wrong."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import CacheSettings, LLMSettings, QuerySettings
from tests.query.openai_server import OpenAIServer, Reply

from .chat import SECONDS, Chat, opened
from .site import HOSTILE, LIGHTHOUSE, STOLEN, WORLD_CUP, changed, serving

WRITTEN = ("Report a stolen laptop ", "within two hours ", "to extension 4400 ", "[1].")


@pytest.fixture(scope="module")
def written_address(platform: Platform, llm: OpenAIServer) -> Iterator[str]:
    """The page of a service whose answers are written by an LLM."""
    settings = LLMSettings(base_url=llm.url, model="tiny", retries=0)
    with serving(changed(platform, llm=settings, cache=CacheSettings(enabled=False))) as found:
        yield found


@pytest.fixture
def chat(browser: Browser, address: str) -> Iterator[Chat]:
    with opened(browser, address) as found:
        yield found
        assert found.refused == []


@pytest.fixture
def written(browser: Browser, written_address: str) -> Iterator[Chat]:
    with opened(browser, written_address) as found:
        yield found
        assert found.refused == []


def test_an_answer_is_written_word_by_word_and_then_checked(
    written: Chat, llm: OpenAIServer
) -> None:
    llm.reset(Reply(tokens=("Report it ", *["now, "] * 5000), delay=0.1))
    written.begin(STOLEN)
    expect(written.last.locator(".answer")).to_contain_text("now, now,", timeout=SECONDS)
    expect(written.last.locator(".answer")).to_have_attribute("aria-busy", "true")
    expect(written.page.get_by_label("Stop the answer")).to_be_visible()
    written.page.get_by_label("Stop the answer").click()
    expect(written.last).to_contain_text("You stopped this answer")
    assert llm.cut_off.wait(30), "the LLM goes on although nobody reads it"

    llm.reset(Reply(tokens=WRITTEN))
    turn = written.ask(STOLEN)
    expect(turn.locator(".answer")).to_contain_text("to extension 4400")
    expect(turn.locator(".answer button.cite")).to_have_count(1)
    expect(turn.locator(".facts")).to_contain_text("Written by tiny")
    expect(turn.locator(".facts")).to_contain_text("Release 1")
    spoken = written.page.locator("#spoken p").all_text_contents()
    assert "Report a stolen laptop within two hours to extension 4400 (source 1)." in [
        " ".join(text.split()) for text in spoken
    ]


def test_a_sentence_that_cites_nothing_is_marked_and_no_other(
    written: Chat, llm: OpenAIServer
) -> None:
    cited = "Report a stolen laptop to extension 4400 [1]. "
    llm.reset(Reply(tokens=(cited, "The moon is made of green cheese by 900 bakers.")))
    turn = written.ask(STOLEN)
    expect(turn.locator(".uncited")).to_have_text("The moon is made of green cheese by 900 bakers.")
    expect(turn.locator(".notices")).to_contain_text("One sentence cites nothing")


def test_an_llm_that_fails_is_told_in_plain_words(written: Chat, llm: OpenAIServer) -> None:
    llm.reset(default=Reply(status=500))
    turn = written.ask(STOLEN)
    expect(turn.locator(".notices")).to_contain_text("The language model")
    expect(turn.locator(".notices")).to_contain_text("quoted from the documents")
    expect(turn.locator(".answer button.cite").first).to_be_visible()


def test_an_llm_that_breaks_off_leaves_nothing_of_its_text(
    written: Chat, llm: OpenAIServer
) -> None:
    llm.reset(default=Reply(tokens=("This is nonsense ", "and ", "more"), break_after=2))
    turn = written.ask(STOLEN)
    expect(turn.locator(".answer")).not_to_contain_text("nonsense")
    expect(turn.locator(".notices")).to_contain_text("The language model")


def test_a_citation_opens_its_passage_in_the_document(chat: Chat) -> None:
    turn = chat.ask(STOLEN)
    cite = turn.locator("button.cite").first
    cite.click()
    expect(chat.panel.locator("#panel-title")).to_be_focused()
    expect(chat.panel.locator("#panel-title")).to_have_text(
        "Laptops and phones from order to disposal"
    )
    mark = chat.panel.locator("mark")
    expect(mark).to_have_text(
        "Report a lost or stolen device within two hours to extension 4400, at any time of day."
    )
    expect(mark).to_be_in_viewport()
    # the text around it, with its headings and tables
    expect(chat.panel.locator(".doc-heading", has_text="Lost or stolen")).to_be_visible()
    expect(chat.panel.locator("td", has_text="Company phone")).to_be_attached()
    expect(chat.panel).to_contain_text("Lost or stolen")
    chat.page.keyboard.press("Escape")
    expect(chat.panel).to_be_hidden()
    expect(cite).to_be_focused()


def test_a_passage_of_a_pdf_names_its_page(chat: Chat) -> None:
    turn = chat.ask("What is the measuring range of the TW40 for wind speed?")
    source = turn.locator(".source-document", has_text="tw40-datasheet.pdf").locator("button").first
    expect(source).to_contain_text("page ")
    source.click()
    expect(chat.panel.locator(".where")).to_contain_text("Page ")
    expect(chat.panel.locator("mark").first).to_be_visible(timeout=SECONDS)


def test_why_leads_to_versions_runs_configuration_and_release(chat: Chat) -> None:
    turn = chat.ask(STOLEN)
    turn.get_by_role("button", name="Why this answer").click()
    lineage = chat.panel.locator(".lineage")
    expect(lineage).to_contain_text("How well each sentence is supported")
    expect(lineage).to_contain_text("What was read", timeout=SECONDS)
    expect(lineage).to_contain_text("Release1 (live)")
    expect(lineage).to_contain_text("Encoder")
    link = lineage.get_by_role("link", name="parsed").first
    assert link.get_attribute("href") == "http://127.0.0.1:3000/runs/run"


def test_what_nothing_supports_is_not_answered(chat: Chat) -> None:
    turn = chat.ask(WORLD_CUP)
    expect(turn.locator(".answer")).to_contain_text("Nothing in the released documents supports")
    expect(turn.locator(".answer")).to_have_class("answer rendered abstained")
    expect(turn.locator("button.cite")).to_have_count(0)
    expect(turn.get_by_role("heading", name="What came closest")).to_be_visible()
    turn.locator("button.source").first.click()
    expect(chat.panel.locator("mark").first).to_be_visible(timeout=SECONDS)


def test_weak_evidence_has_a_badge(browser: Browser, platform: Platform) -> None:
    """Where it is shown although the release would rather not answer, and nowhere else."""
    with (
        serving(changed(platform, query=QuerySettings(abstain=False))) as address,
        opened(browser, address) as chat,
    ):
        turn = chat.ask(WORLD_CUP)
        expect(turn.locator(".facts .badge")).to_have_class("badge weak-evidence")
        expect(turn.locator(".facts .badge")).to_contain_text("Weak evidence")
        turn = chat.ask(STOLEN)
        expect(turn.locator(".facts .badge")).not_to_contain_text("Weak evidence")


def test_text_of_documents_is_never_markup(chat: Chat) -> None:
    turn = chat.ask(LIGHTHOUSE)
    expect(turn.locator(".answer")).to_contain_text("every nine years")
    turn.locator("button.cite").first.click()
    document = chat.panel.locator(".document")
    expect(document).to_contain_text(HOSTILE)
    for name in ("img", "script", "a"):
        assert document.locator(name).count() == 0
        assert turn.locator(name).count() == 0


def test_a_service_that_is_gone_is_told_with_what_to_do(
    browser: Browser, platform: Platform
) -> None:
    with serving(Platform(platform.settings)) as address, opened(browser, address) as chat:
        chat.page.context.set_offline(True)
        turn = chat.ask(STOLEN)
        expect(turn.get_by_role("alert")).to_contain_text("The service cannot be reached")
        expect(turn.get_by_role("alert")).to_contain_text("ask again")
        chat.page.context.set_offline(False)
        turn.get_by_role("button", name="Ask again").click()
        expect(chat.last.locator("button.cite").first).to_be_visible(timeout=SECONDS)
        chat.said.clear()  # the browser says that it was offline


def test_filters_and_releases_narrow_the_question(chat: Chat) -> None:
    tab = chat.page
    tab.get_by_role("button", name="Filter").click()
    tab.get_by_label("Further conditions").fill('path starts with "people/"')
    assert "people/" in tab.locator("#narrow-open").inner_text()
    turn = chat.ask("How many days of leave may be carried over?")
    expect(turn.locator(".asked-with")).to_contain_text("people/")
    assert turn.locator(".source-document").count() > 0
    for place in turn.locator(".source-document > .place").all_text_contents():
        assert place.startswith("handbook/people/")

    tab.get_by_role("button", name="Filter").click()
    tab.get_by_role("button", name="Clear all").click()
    tab.get_by_label("until", exact=True).fill("2001-01-01")
    turn = chat.ask(STOLEN)
    expect(turn.locator(".answer")).to_contain_text("Nothing in the released documents supports")

    tab.get_by_role("button", name="Filter").click()
    tab.get_by_role("button", name="Clear all").click()
    tab.get_by_label("Further conditions").fill("colour = ")
    turn = chat.ask(STOLEN)
    expect(turn.get_by_role("alert")).to_be_visible()
    assert chat.refused == ["422"]
    chat.refused.clear()


def test_the_past_can_be_asked(chat: Chat) -> None:
    tab = chat.page
    tab.get_by_role("button", name="Filter").click()
    tab.get_by_label("Release").select_option("as-of")
    tab.get_by_label("As it was on").fill("2001-01-01")
    turn = chat.ask(STOLEN)
    expect(turn.get_by_role("alert")).to_be_visible()
    assert chat.refused == ["404"]
    chat.refused.clear()
