"""``ragline releases``: what a person does to releases, and what the next ingest makes of it."""

import shutil
from pathlib import Path

import pytest

from tests.app.commands import Result, ragline

NOTE = "# Note {0}\n\nThe boiler of house {0} is checked in March by the caretaker of house {0}.\n"


SETTINGS = """
[sources.docs]
path = "documents"
acl = ["public"]
[parsing]
workers = 1
"""


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    """A deployment with two releases: the second has a document about a roof."""
    home = tmp_path_factory.mktemp("released")
    (home / "ragline.toml").write_text(SETTINGS)
    (home / "documents").mkdir()
    (home / ".ragline").mkdir()
    model_cache.mkdir(parents=True, exist_ok=True)
    (home / ".ragline/models").symlink_to(model_cache, target_is_directory=True)
    for number in range(4):
        (home / f"documents/note-{number}.md").write_text(NOTE.format(number))
    assert ragline("ingest", folder=home).code == 0
    (home / "documents/roof.md").write_text("# Roof\n\nThe roof of house nine is of copper.\n")
    assert ragline("ingest", folder=home).code == 0
    shutil.copytree(home, home.with_name("pristine"), symlinks=True)
    return home


@pytest.fixture
def documents(released: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The documents of the deployment as it was in the beginning, in the same place."""
    shutil.rmtree(released)
    shutil.copytree(released.with_name("pristine"), released, symlinks=True)
    monkeypatch.chdir(released)
    return released / "documents"


def releases() -> dict[int, str]:
    return {item["id"]: item["status"] for item in ragline("releases", "list", "--json").json}


def finds_the_roof() -> bool:
    hits = ragline("search", "What is the roof made of?", "--json").json["hits"]
    return any(hit["document_id"] == "docs/roof.md" for hit in hits)


def assert_refused(result: Result, *words: str) -> None:
    assert result.code == 1
    for word in words:
        assert word in result.errors
    assert "Traceback" not in result.errors


def test_a_rollback_lasts_until_promotions_are_resumed(documents: Path) -> None:
    assert finds_the_roof()
    back = ragline("releases", "rollback", "--reason", "the roof is wrong", "--json")
    assert (back.code, back.json["id"]) == (0, 1)
    assert releases() == {1: "live", 2: "retired"}
    assert not finds_the_roof()

    # the source still says what was rolled back: nothing promotes it again
    again = ragline("ingest", "--json")
    assert again.code == 0, again.errors
    assert "rolled back from release 2 to release 1: the roof is wrong" in again.json["waiting"]
    (documents / "note-9.md").write_text(NOTE.format(9))
    assert ragline("ingest", "--json").json["released"] is False
    assert releases() == {1: "live", 2: "retired", 3: "candidate"}
    assert ragline("plan", "--json").json["release"]["due"] is False

    assert ragline("releases", "resume", "--json").json == {"held": False, "was_held": True}
    assert ragline("ingest", "--json").json["released"] is True
    assert finds_the_roof()
    events = ragline("releases", "history", "--json").json
    assert [event["event"] for event in events] == [
        "promoted", "promoted", "rolled_back", "held", "waiting", "resumed", "promoted",
    ]  # fmt: skip
    assert events[2]["reason"] == "the roof is wrong"
    assert events[2]["actor"]


def test_what_waits_can_be_promoted_by_hand(documents: Path) -> None:
    assert ragline("releases", "hold", "--reason", "release freeze").code == 0
    (documents / "note-9.md").write_text(NOTE.format(9))
    waiting = ragline("ingest")
    assert waiting.code == 0
    assert "release freeze" in waiting.errors
    assert "waiting" in ragline("releases", "list").output
    promoted = ragline("releases", "promote", "3", "--json")
    assert (promoted.code, promoted.json["status"]) == (0, "live")
    # it is what the sources say: nothing needs to be held back any more
    assert ragline("releases", "resume", "--json").json["was_held"] is False
    assert ragline("ingest", "--json").json["runs"] == []


def test_a_rejected_release_is_judged_once_and_accepted_with_a_reason(
    documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_GATES__MAX_QUARANTINE_SHARE", "0.1")
    (documents / "broken.pdf").write_bytes(b"%PDF-1.4 broken")
    (documents / "pool.md").write_text("# Pool\n\nThe pool opens at seven in the morning.\n")
    rejected = ragline("ingest", "--json")
    assert rejected.code == 1
    assert "quarantine_share" in rejected.json["failed"]["release"]
    # the same index is not judged twice, and not forgotten either
    again = ragline("ingest", "--json")
    assert (again.code, again.json["runs"]) == (1, [])
    assert "was rejected as release 3" in again.json["failed"]["release"]

    assert_refused(ragline("releases", "promote", "3"), "--accept quarantine_share", "--reason")
    assert_refused(
        ragline("releases", "promote", "3", "--accept", "quarantine_share"), "needs a reason"
    )
    accept = ("--accept", "quarantine_share", "--reason", "an old scan, nobody needs it")
    assert ragline("releases", "promote", "3", *accept).code == 0
    assert releases() == {1: "retired", 2: "retired", 3: "live"}
    events = ragline("releases", "show", "3", "--json").json["events"]
    assert events[-1]["details"]["accepted"] == ["quarantine_share"]
    assert ragline("ingest", "--json").json["runs"] == []


def test_another_margin_is_another_judgement(
    documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAG_GATES__MAX_QUARANTINE_SHARE", "0.1")
    (documents / "broken.pdf").write_bytes(b"%PDF-1.4 broken")
    (documents / "note-9.md").write_text(NOTE.format(9))
    assert ragline("ingest").code == 1
    monkeypatch.setenv("RAG_GATES__MAX_QUARANTINE_SHARE", "0.5")
    assert ragline("ingest", "--json").json["released"] is True


def test_what_cannot_be_done_is_explained(documents: Path) -> None:
    assert_refused(ragline("releases", "promote", "9"), "There is no release 9")
    assert_refused(ragline("releases", "promote", "2"), "is live already")
    assert_refused(ragline("releases", "rollback", "--to", "2"), "is live already")
    assert ragline("releases", "rollback").code == 0
    assert_refused(ragline("releases", "rollback"), "no earlier release")


def test_a_lost_index_is_released_again(documents: Path) -> None:
    shutil.rmtree(documents.parent / ".ragline/lancedb")
    assert ragline("search", "roof").code == 1
    assert ragline("ingest", "--json").json["released"] is True
    assert finds_the_roof()


def test_real_questions_are_asked_again(documents: Path) -> None:
    assert_refused(ragline("releases", "replay", "1"), "nothing to replay", "ragline ask")
    assert ragline("ask", "What is the roof of house nine made of?").code == 0
    told = ragline("releases", "replay", "1", "--json").json
    assert (told["release"], told["against"], told["questions"], told["errors"]) == (1, 2, 1, 0)
    (row,) = told["results"]
    assert "docs/roof.md" in row["baseline_documents"]
    assert "docs/roof.md" not in row["documents"]
    words = ragline("releases", "replay", "1").output
    assert "1 of 1 distinct questions asked again" in words
    assert_refused(ragline("releases", "replay", "2"), "compared with itself")
    assert_refused(ragline("releases", "replay", "7"), "There is no release 7")
