"""Who may see what: keys, rights, uploads until they answer, and the dashboard."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from evals.evaluation_dashboard.data import dashboard_data
from evals.evaluation_dashboard.export import write_folder
from evals.evaluation_dashboard.page import page_of
from rag_app.access.keys import make_key
from rag_assets.platform.platform import Platform
from rag_assets.service_records.keys import ApiKeys
from tests.jobs.harness import run_stages

from .chat import SECONDS, Chat, opened
from .site import AUTHENTICATED, MANDATES, STOLEN, changed, learned, serving

SECRET = "Frances Iredale"  # stands in the restricted document alone


@pytest.fixture(scope="module")
def guarded(platform: Platform) -> Iterator[str]:
    """The page of a service that wants to know who asks."""
    with serving(changed(platform, auth=AUTHENTICATED)) as found:
        yield found


def key(platform: Platform, *groups: str, scopes: tuple[str, ...] = ("read", "feedback")) -> str:
    made = make_key("of the tests", groups, scopes)
    ApiKeys(platform.database).add(made.key)
    return made.text


def enter(chat: Chat, value: str) -> None:
    dialog = chat.page.get_by_role("dialog", name="Access key")
    dialog.get_by_label("Key").fill(value)
    dialog.get_by_role("button", name="Use this key").click()


def test_a_key_decides_what_one_reads(browser: Browser, guarded: str, platform: Platform) -> None:
    with opened(browser, guarded) as chat:
        tab = chat.page
        dialog = tab.get_by_role("dialog", name="Access key")
        expect(dialog).to_contain_text("only those who have a key")
        assert chat.barriers() == []
        enter(chat, "rag_wrong")
        chat.begin(STOLEN)
        expect(dialog.get_by_role("alert")).to_be_visible(timeout=SECONDS)
        expect(chat.last.get_by_role("alert")).to_contain_text("Enter an access key")

        enter(chat, key(platform))
        turn = chat.ask(MANDATES)
        assert "bank-mandates" not in turn.inner_text()
        assert SECRET not in tab.content()
        expect(chat.ask(STOLEN).locator("button.cite").first).to_be_visible()

        tab.get_by_role("button", name="Access key").click()
        enter(chat, key(platform, "finance-team", "finance"))
        turn = chat.ask(MANDATES)
        expect(turn).to_contain_text("handbook/finance/bank-mandates.md")

        assert tab.url == guarded
        assert tab.evaluate("Object.keys(localStorage)") == []
        assert len(tab.evaluate("Object.values(sessionStorage)")) == 1
        tab.get_by_role("button", name="Access key").click()
        dialog.get_by_role("button", name="Forget it").click()
        assert tab.evaluate("Object.values(sessionStorage)") == []
        assert set(chat.refused) == {"401"}


def test_nobody_may_judge_answers_that_they_may_not_see(guarded: str, platform: Platform) -> None:
    def client(value: str) -> httpx.Client:
        return httpx.Client(base_url=guarded, headers={"Authorization": f"Bearer {value}"})

    with client(key(platform, "finance-team", "finance")) as inside:
        answer = inside.post("v1/ask", json={"question": MANDATES}).json()
        assert any("bank-mandates" in item["document_id"] for item in answer["citations"])
        said = {"answer_id": answer["answer_id"], "rating": "up"}
        assert inside.post("v1/feedback", json=said).status_code == 201
        assert inside.post("v1/feedback", json={**said, "rating": "down"}).status_code == 201
    with client(key(platform, scopes=("read",))) as reader:
        assert reader.post("v1/feedback", json=said).status_code == 403
    assert httpx.post(f"{guarded}v1/feedback", json=said).status_code == 401


def test_what_the_page_is_told_of_its_reader(guarded: str, platform: Platform) -> None:
    nobody = httpx.get(f"{guarded}page/reader").json()
    assert (nobody["identified"], nobody["sources"]) == (False, [])
    headers = {"Authorization": f"Bearer {key(platform)}"}
    reader = httpx.get(f"{guarded}page/reader", headers=headers).json()
    assert reader["sources"] == ["handbook"]
    assert (reader["may_ask"], reader["may_upload"], reader["may_see_quality"]) == (
        True,
        False,
        False,
    )


def test_an_upload_is_followed_until_it_answers(
    browser: Browser, address: str, platform: Platform, tmp_path: Path
) -> None:
    file = tmp_path / "heron.md"
    file.write_text("# Project Heron\n\nThe budget of project Heron is 4711 euros.\n", "utf-8")
    broken = tmp_path / "program.exe"
    broken.write_bytes(b"MZ\x00\x01 no document")
    with opened(browser, address) as chat:
        tab = chat.page
        tab.get_by_role("button", name="Add documents").click()
        tab.locator("#files").set_input_files([str(file)])
        row = tab.locator("#uploads li", has_text="heron.md")
        expect(row.locator(".state")).to_have_text("waiting for its release", timeout=SECONDS)
        run_stages(Platform(platform.settings), "upload")
        learned(platform)
        expect(row.locator(".state")).to_have_text("released", timeout=SECONDS)
        expect(tab.locator("#release")).to_contain_text("Release 2")

        tab.locator("#files").set_input_files([str(broken)])
        refused = tab.locator("#uploads li", has_text="program.exe")
        expect(refused.locator(".state")).to_have_text("refused", timeout=SECONDS)
        expect(refused.locator(".why")).not_to_be_empty()
        tab.get_by_role("dialog").get_by_role("button", name="Close").click()
        turn = chat.ask("What is the budget of project Heron?")
        expect(turn.locator(".answer")).to_contain_text("4711 euros")
        expect(turn.locator(".source-document > .place").first).to_have_text(
            re.compile(r"^uploads/.*heron\.md$")
        )
        chat.page.get_by_role("button", name="Filter").click()
        chat.page.get_by_label("uploads").check()
        turn = chat.ask(STOLEN)
        assert "laptop-lifecycle" not in turn.inner_text()


def test_the_dashboard_is_for_those_who_decide_about_releases(
    browser: Browser, guarded: str, platform: Platform
) -> None:
    folder = platform.state_path / "dashboard"
    with opened(browser, guarded) as chat:
        tab = chat.page
        enter(chat, key(platform, scopes=("read", "releases")))
        tab.goto(f"{guarded}evals")
        expect(tab.get_by_role("heading", name="There is no dashboard yet")).to_be_visible(
            timeout=SECONDS
        )
        write_folder(page_of(dashboard_data(platform, datetime.now(UTC))), folder)
        tab.reload()
        tab.wait_for_selector("html[data-drawn]", state="attached", timeout=SECONDS)
        assert "HttpOnly" not in tab.evaluate("document.cookie")
        (cookie,) = tab.context.cookies()
        assert (cookie["httpOnly"], cookie["path"], cookie["sameSite"]) == (
            True,
            "/evals",
            "Strict",
        )
    with opened(browser, guarded) as chat:
        tab = chat.page
        tab.goto(f"{guarded}evals/")
        expect(tab.get_by_role("heading", name="The evaluation dashboard")).to_be_visible()
        assert chat.barriers() == []
        tab.get_by_label("Access key").fill(key(platform))
        tab.get_by_role("button", name="Open").click()
        expect(tab.get_by_role("alert")).to_contain_text("releases", timeout=SECONDS)
    for name in ("index.html", "ragline.db", "..%2fragline.toml"):
        found = httpx.get(f"{guarded}evals/{name}")
        assert "<title>Quality: an access key is needed" in found.text or found.status_code == 404


def test_without_authentication_the_dashboard_is_open(
    browser: Browser, address: str, platform: Platform
) -> None:
    write_folder(
        page_of(dashboard_data(platform, datetime.now(UTC))), platform.state_path / "dashboard"
    )
    with opened(browser, address) as chat:
        chat.page.get_by_role("link", name="Quality").click()
        chat.page.wait_for_selector("html[data-drawn]", state="attached", timeout=SECONDS)
    assert httpx.get(f"{address}evals/data-000000000000.js").status_code == 404
