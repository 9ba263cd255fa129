"""Questions are held against the documents as they are now; what is gone is flagged."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from evals.golden_questions.collect import (
    collect_questions,
    questions_version,
    read_golden_questions,
    refresh_golden_questions,
)
from evals.golden_questions.questions import QuestionSetError
from evals.golden_questions.schema import RESOLVED_QUESTIONS
from rag_assets.platform.platform import Platform
from rag_assets.releases.registry import Registry
from tests.conftest import Deploy
from tests.jobs.harness import build_index

from .conftest import (
    LAPTOP,
    LEAVE,
    SETTINGS,
    TRAVEL,
    ingested,
    question,
    write_documents,
    write_set,
)

SYNTHETIC: dict[str, Any] = {"origin": "synthetic", "provenance": {"model": "tiny"}}


def states(questions: pl.DataFrame, dataset: str = "house") -> dict[str, str]:
    rows = questions.filter(pl.col("dataset") == dataset)
    return dict(rows.select("question_id", "evidence").rows())


def known(questions: pl.DataFrame) -> dict[str, str]:
    """Document → state of the known items."""
    rows = questions.filter(pl.col("dataset") == "known_items")
    named = rows["relevant"].list.first().struct.field("document_id")
    return dict(zip(named, rows["evidence"], strict=True))


def test_evidence_is_looked_for_in_the_current_documents(house: Path) -> None:
    write_set(
        house,
        question("there", ("docs/leave.md", "five   days of\nleave")),
        question("whole", ("docs/travel.md", None)),
        question("both", ("docs/leave.md", None), ("docs/travel.md", "one hundred pounds")),
        question("typo", ("docs/leaf.md", None)),
        question("nothing"),
    )
    found = refresh_golden_questions(ingested(), "r1")
    assert found.schema == RESOLVED_QUESTIONS
    assert states(found) == {
        "there": "current", "whole": "current", "both": "changed", "typo": "unknown", "nothing": "none",
    }  # fmt: skip
    notes = dict(found.select("question_id", "evidence_note").rows())
    assert notes["both"] == "docs/travel.md does not say: one hundred pounds"
    assert "docs/leaf.md" in notes["typo"]
    assert notes["there"] == notes["nothing"] == ""


def test_what_was_edited_or_deleted_is_flagged_and_comes_back(house: Path) -> None:
    write_set(
        house,
        question("edited", ("docs/leave.md", "five days")),
        question("deleted", ("docs/travel.md", None)),
        question("same", ("docs/laptop.md", "four years")),
    )
    refresh_golden_questions(ingested(), "r1")
    write_documents(house, {"leave": LEAVE.replace("five", "six")})
    (house / "documents" / "travel.md").unlink()

    # twice: the release that had it is gone by then, the table remembers
    for run in ("r2", "r3"):
        found = refresh_golden_questions(ingested(run), run)
        assert states(found) == {"edited": "changed", "deleted": "deleted", "same": "current"}

    write_documents(house, {"leave": LEAVE, "travel": TRAVEL})
    found = refresh_golden_questions(ingested("r4"), "r4")
    assert set(states(found).values()) == {"current"}


def test_a_document_that_cannot_be_read_is_no_miss(house: Path) -> None:
    write_set(house, question("empty", ("docs/empty.md", None)))
    (house / "documents" / "empty.md").write_text("", "utf-8")
    found = refresh_golden_questions(ingested(), "r1")
    assert states(found) == {"empty": "changed"}
    (note,) = found.filter(pl.col("question_id") == "empty")["evidence_note"]
    assert note == "docs/empty.md has no text now (empty)"


def test_known_items_of_dropped_documents_stay_while_readers_have_them(house: Path) -> None:
    write_set(house, question("nothing"))
    first = refresh_golden_questions(ingested(), "r1")
    assert known(first) == {f"docs/{n}.md": "current" for n in ("leave", "travel", "laptop")}

    (house / "documents" / "travel.md").unlink()
    write_documents(house, {"leave": LEAVE.replace("five", "six")})
    platform = Platform.load()
    build_index(platform, "r2")  # and release nothing yet
    second = refresh_golden_questions(platform, "r2")
    assert known(second) == {
        "docs/leave.md": "current", "docs/travel.md": "deleted", "docs/laptop.md": "current",
    }  # fmt: skip
    third = refresh_golden_questions(ingested("r3"), "r3")
    assert known(third) == {"docs/leave.md": "current", "docs/laptop.md": "current"}


def test_questions_that_a_model_wrote_do_not_gate(house: Path) -> None:
    write_set(
        house,
        question("ours", ("docs/leave.md", None)),
        question("theirs", ("docs/leave.md", None), **SYNTHETIC),
    )
    found = collect_questions(ingested(), None)
    gates = dict(found.select("question_id", "gate").rows())
    assert (gates.pop("ours"), gates.pop("theirs")) == (True, False)
    assert all(gates.values())
    assert len(gates) == 3


def test_a_set_may_be_kept_out_of_the_gate(deploy: Deploy) -> None:
    folder = deploy(
        SETTINGS
        + '[evaluation]\nknown_items = 0\n[evaluation.sets.a]\npath = "a.jsonl"\ngate = false\n'
        '[evaluation.sets.b]\npath = "b.jsonl"\n'
    )
    for name in "ab":
        write_set(folder, question("same-id"), name=f"{name}.jsonl")
    found = collect_questions(Platform.load(), None)
    assert found.select("dataset", "gate").rows() == [("a", False), ("b", True)]


def test_no_questions_are_an_empty_table(deploy: Deploy) -> None:
    deploy(SETTINGS + "[evaluation]\nknown_items = 0\n")
    platform = Platform.load()
    assert refresh_golden_questions(platform, "r1").is_empty()
    assert platform.tables.stamp("golden_questions", "") is not None


def test_the_file_beside_the_settings_is_a_set_without_being_configured(deploy: Deploy) -> None:
    folder = deploy(SETTINGS)
    write_set(folder, question("nothing"), name="golden_questions.jsonl")
    found = collect_questions(Platform.load(), None)
    assert states(found, "golden") == {"nothing": "none"}


@pytest.mark.parametrize(
    ("text", "said"), [("{", "line 1"), ("", "no questions"), (None, "no question set")]
)
def test_a_set_that_cannot_be_read_is_named_and_the_table_stays(
    house: Path, text: str | None, said: str
) -> None:
    path = write_set(house, question("nothing"))
    platform = Platform.load()
    before = refresh_golden_questions(platform, "r1")
    path.unlink() if text is None else path.write_text(text, "utf-8")
    with pytest.raises(QuestionSetError, match=f"'house'.*{said}"):
        refresh_golden_questions(platform, "r2")
    assert read_golden_questions(platform).equals(before)


def test_a_set_cannot_take_the_name_of_the_known_items(deploy: Deploy) -> None:
    folder = deploy(SETTINGS + '[evaluation.sets.known_items]\npath = "a.jsonl"\n')
    write_set(folder, question("nothing"), name="a.jsonl")
    with pytest.raises(QuestionSetError, match="known_items"):
        collect_questions(Platform.load(), None)


def test_a_changed_question_is_a_new_one(house: Path) -> None:
    platform = Platform.load()

    def collected(**changes: Any) -> tuple[str, str]:
        write_set(house, question("q", ("docs/leave.md", "five days"), **changes))
        found = collect_questions(platform, None)
        return found["question_sha256"][0], questions_version(found)

    first = collected()
    assert collected() == first
    assert collected(tags=["x"]) == first
    assert collected(groups=["b", "a"]) == collected(groups=["a", "b"])
    changes: list[dict[str, Any]] = [
        {"question": "Why?"}, {"answer": "five"}, {"groups": ["a"]}, {"forbidden": ["docs/x.md"]},
        {"relevant": [{"document_id": "docs/leave.md", "grade": 2}]},
    ]  # fmt: skip
    seen = {first, *(collected(**change) for change in changes)}
    assert len({sha for sha, _ in seen}) == len({version for _, version in seen}) == 6


def test_the_table_is_the_same_when_nothing_changed(house: Path) -> None:
    write_set(house, question("q", ("docs/laptop.md", LAPTOP)))
    platform = ingested()
    first = refresh_golden_questions(platform, "r1")
    digest = platform.tables.stamp("golden_questions", "")
    second = refresh_golden_questions(platform, "r2")
    again = platform.tables.stamp("golden_questions", "")
    assert first.equals(second)
    assert digest is not None
    assert again is not None
    assert digest.digest == again.digest
    assert Registry(platform.database).live() is not None
