"""A reader's judgement, from the page into the database and on to a golden question."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, expect
from typer.testing import CliRunner

from evals.golden_questions.questions import load_questions
from rag_app.cli import app
from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.platform import Platform
from rag_assets.query.access import Caller
from rag_assets.query.engine import QueryEngine
from rag_assets.service_records.feedback import FeedbackStore
from rag_assets.service_records.tables import feedback

from .chat import SECONDS, Chat, opened
from .site import STOLEN, WORLD_CUP

LAPTOPS = "handbook/it/laptop-lifecycle.md"


@pytest.fixture
def chat(browser: Browser, address: str) -> Iterator[Chat]:
    with opened(browser, address) as found:
        yield found
        assert found.refused == []


@pytest.fixture(autouse=True)
def no_feedback_yet(platform: Platform) -> None:
    with platform.database.begin() as connection:
        connection.execute(sa.delete(feedback))


@pytest.fixture
def settings_of_commands(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Let the command line work on the same deployment; gives the set it adds to."""
    path = tmp_path / "ragline.toml"
    path.write_text(f"home = {json.dumps(platform.settings.home)}\n", encoding="utf-8")
    monkeypatch.setenv("RAG_CONFIG", str(path))
    return tmp_path / "golden_questions.jsonl"


def questions(*arguments: str) -> Any:
    result = CliRunner().invoke(app, ["questions", *arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def give(address: str, platform: Platform, question: str, **said: Any) -> str:
    """Judge a new answer over HTTP; gives the id of the feedback."""
    answer = QueryEngine(platform).ask(question, Caller())
    response = httpx.post(f"{address}v1/feedback", json={"answer_id": answer.answer_id, **said})
    assert response.status_code == 201, response.text
    return str(response.json()["feedback_id"])


def test_a_thumb_a_comment_and_the_right_passages_are_kept(chat: Chat, platform: Platform) -> None:
    turn = chat.ask(STOLEN)
    turn.get_by_role("button", name="Not right").click()
    form = turn.get_by_role("form", name="Feedback on this answer")
    expect(form.get_by_label("What is wrong or missing?")).to_be_focused()
    form.get_by_label("What is wrong or missing?").fill("Says nothing of the police <b>report</b>.")
    form.get_by_label("Find another passage").fill("days of leave carried over")
    form.get_by_role("button", name="Find").click()
    found = form.locator(".choice", has_text="Annual leave").first
    expect(found).to_be_visible(timeout=SECONDS)
    found.click()

    # words that are selected in an opened document
    turn.locator("button.cite").first.click()
    words = chat.panel.locator(".document p", has_text="Nobody is charged")
    expect(words).to_be_visible(timeout=SECONDS)
    words.click(click_count=3)
    chat.panel.get_by_role("button", name="Suggest the selected words").click()
    expect(chat.panel).to_be_hidden()
    form.get_by_role("button", name="Send").click()
    expect(turn.locator(".thanks")).to_be_focused(timeout=SECONDS)

    (kept,) = FeedbackStore(platform.database).listed()
    assert (kept.rating, kept.status, kept.principal) == (-1, "new", "anonymous")
    assert kept.comment == "Says nothing of the police <b>report</b>."
    named = {item["document_id"]: item["quote"] for item in kept.corrected_citations}
    assert set(named) == {LAPTOPS, "handbook/people/leave-policy.md"}
    assert "Nobody is charged for a first loss." in named[LAPTOPS]


def test_feedback_needs_an_answer_that_one_may_see(address: str) -> None:
    response = httpx.post(f"{address}v1/feedback", json={"answer_id": "none", "rating": "up"})
    assert response.status_code == 404
    assert response.json()["detail"].startswith("There is no answer none")
    long = {"answer_id": "none", "comment": "x" * 4001}
    assert httpx.post(f"{address}v1/feedback", json=long).status_code == 422


def test_personal_data_in_a_comment_is_masked_and_quotes_stay(
    address: str, platform: Platform
) -> None:
    cited = [{"document_id": LAPTOPS, "quote": "Write to help@example.com."}]
    said = {"comment": "Ask jane.doe@example.com, or +44 20 7946 0958.", "citations": cited}
    kept = FeedbackStore(platform.database).get(give(address, platform, STOLEN, **said))
    assert kept is not None
    assert kept.comment == "Ask [EMAIL_ADDRESS], or [PHONE_NUMBER]."
    assert list(kept.corrected_citations) == cited


def test_helpful_answers_become_golden_questions(
    address: str, platform: Platform, settings_of_commands: Path
) -> None:
    useful = give(address, platform, STOLEN, rating="up", comment="spot on")
    silent = give(address, platform, WORLD_CUP, rating="up")
    wrong = give(address, platform, STOLEN, rating="down")
    named = give(
        address, platform, STOLEN, rating="down",
        citations=[{"document_id": LAPTOPS, "quote": "IT locks it remotely."}],
    )  # fmt: skip
    listed = {item["feedback_id"]: item for item in questions("candidates")}
    assert listed[useful]["evidence"][0]["document_id"] == LAPTOPS
    assert listed[silent]["evidence"] == []
    assert listed[wrong]["problem"] == "nobody said which documents answer it"
    assert [bool(item["problem"]) for item in listed.values()] == [False, False, True, False]

    questions("accept", useful[:10])
    questions("accept", silent)
    questions("accept", named)
    questions("reject", wrong)
    assert questions("candidates") == []
    assert {item["status"] for item in questions("candidates", "--all")} == {"accepted", "rejected"}

    rows = load_questions(settings_of_commands).rows(named=True)
    assert [row["question"] for row in rows] == [STOLEN, WORLD_CUP, STOLEN]
    assert [row["answerable"] for row in rows] == [True, False, True]
    assert rows[2]["relevant"][0]["quote"] == "IT locks it remotely."
    origin = json.loads(rows[0]["provenance"])
    assert (origin["feedback_id"], origin["comment"]) == (useful, "spot on")


def test_an_accept_that_was_interrupted_is_finished(
    address: str, platform: Platform, settings_of_commands: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = give(address, platform, STOLEN, rating="up")
    with monkeypatch.context() as patch:
        patch.setattr(FeedbackStore, "decide", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            questions("accept", said)
    assert [item["status"] for item in questions("candidates")] == ["new"]
    questions("accept", said)
    assert questions("candidates") == []
    assert load_questions(settings_of_commands).height == 1


def test_a_person_may_know_better(
    address: str, platform: Platform, settings_of_commands: Path
) -> None:
    said = give(address, platform, STOLEN, rating="down")
    with pytest.raises(ConfigurationError, match="does not say which documents"):
        questions("accept", said)
    with pytest.raises(ConfigurationError, match="contradict"):
        questions("accept", said, "--unanswerable", "--relevant", LAPTOPS)
    with pytest.raises(ConfigurationError, match="no feedback 'zzz'"):
        questions("reject", "zzz")
    questions("accept", said, "--relevant", LAPTOPS, "--quote", "IT locks it remotely.")
    (row,) = load_questions(settings_of_commands).rows(named=True)
    assert row["relevant"][0]["quote"] == "IT locks it remotely."
    with pytest.raises(ConfigurationError, match="waits for a decision"):
        questions("accept", said)


def test_counts_are_of_a_span_of_time(address: str, platform: Platform) -> None:
    from datetime import UTC, datetime, timedelta

    for rating in ("up", "up", "down"):
        give(address, platform, STOLEN, rating=rating)
    store, now = FeedbackStore(platform.database), datetime.now(UTC)
    hour = timedelta(hours=1)
    assert store.counts(now - hour, now + hour) == {"up": 2, "neutral": 0, "down": 1}
    assert sum(store.counts(now - 2 * hour, now - hour).values()) == 0
