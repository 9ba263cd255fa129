"""The gate of real questions, on hand-made replays."""

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from evals.gates.replay import judge_replay
from evals.replay.schema import REPLAYED
from evals.replay.summary import more_abstentions, most_changed, summarize
from rag_assets.platform.settings import GateSettings

LIVE = 7
SAME: dict[str, Any] = {
    "documents": ["docs/a.md"],
    "baseline_documents": ["docs/a.md"],
    "answer": "It is so.",
    "baseline_answer": "It is so.",
    "abstained": False,
    "baseline_abstained": False,
    "milliseconds": 10.0,
    "baseline_milliseconds": 12.0,
    "error": "",
    "baseline_error": "",
    "overlap": 1.0,
    "document_overlap": 1.0,
    "document_jaccard": 1.0,
    "answer_f1": 1.0,
    "top_changed": False,
    "answer_changed": False,
    "newly_abstained": False,
    "newly_answered": False,
    "citations_changed": False,
}
ABSTAINED = {"abstained": True, "newly_abstained": True, "answer_changed": True}
ANSWERED = {"baseline_abstained": True, "newly_answered": True, "answer_changed": True}
UNKNOWN = ("overlap", "document_overlap", "document_jaccard", "answer_f1", "answer")
FAILED = {"error": "EncoderError: down"} | dict.fromkeys([*UNKNOWN, "newly_abstained"])


def rows(*groups: tuple[int, dict[str, Any]]) -> pl.DataFrame:
    """So many questions of each kind, ``REPLAYED``."""
    found: list[dict[str, Any]] = []
    for count, values in groups:
        for _ in range(count):
            number = len(found)
            named = {"question_id": f"q{number:03}", "question": f"what is {number}?"}
            asked = {"asked_at": datetime(2026, 3, 1, tzinfo=UTC), "times": 1}
            found.append({**dict.fromkeys(REPLAYED), **SAME, **named, **asked, **values})
    return pl.DataFrame(found, schema=REPLAYED)


def judged(frame: pl.DataFrame, **settings: Any) -> Any:
    return judge_replay(frame, GateSettings(**settings), live=LIVE)


def test_the_same_as_before_passes_and_says_so() -> None:
    gate = judged(rows((20, {})))
    assert gate.verdict == "passed"
    assert "20 questions asked again" in gate.explanation
    assert f"release {LIVE}" in gate.explanation
    assert gate.metadata["overlap"] == 1
    assert gate.report == "Every question finds what it found before, and is answered as before."


@pytest.mark.parametrize(
    ("overlap", "verdict"), [(0.49, "warned"), (0.5, "passed"), (0.51, "passed")]
)
def test_the_mean_overlap_decides(overlap: float, verdict: str) -> None:
    frame = rows((10, {"overlap": overlap - 0.2}), (10, {"overlap": overlap + 0.2}))
    assert judged(frame).verdict == verdict
    assert judged(frame, replay_overlap=0.8).verdict == "warned"
    assert judged(frame, replay_overlap=0.2).verdict == "passed"


def test_it_blocks_only_where_it_is_told_to() -> None:
    frame = rows((12, {"overlap": 0.1}))
    assert judged(frame, replay="block").blocks
    assert not judged(frame, replay="warn").blocks


def test_few_questions_are_shown_and_stop_nothing() -> None:
    gate = judged(rows((9, {"overlap": 0.1})), replay="block")
    assert gate.verdict == "not_judged"
    assert "too few" in gate.explanation
    assert "0.100" in gate.explanation
    assert judged(rows((10, {"overlap": 0.1})), replay="block").blocks


@pytest.mark.parametrize(
    ("more", "fewer", "verdict"),
    # by the binomial: 1/16 and 1/32 for 4 and 5 of one kind; 6 of 7 is 8/128; 7 of 8 is 9/256
    [(0, 9, "passed"), (4, 0, "passed"), (5, 0, "warned"), (6, 1, "passed"), (7, 1, "warned")],
)
def test_abstentions_beyond_chance(more: int, fewer: int, verdict: str) -> None:
    gate = judged(rows((30, {}), (more, ABSTAINED), (fewer, ANSWERED)))
    assert gate.verdict == verdict
    assert ("none now" in gate.explanation) == (verdict == "warned")


def test_the_test_is_the_binomial_one() -> None:
    assert more_abstentions(rows((3, ABSTAINED))) == pytest.approx(1 / 8)
    assert more_abstentions(rows((6, ABSTAINED), (1, ANSWERED))) == pytest.approx(8 / 128)
    assert more_abstentions(rows((3, {}))) == 1


def test_new_errors_beyond_chance() -> None:
    gate = judged(rows((20, {}), (5, FAILED)))
    assert gate.verdict == "warned"
    assert "5 questions ended in an error that did not before" in gate.explanation
    both = {**FAILED, "baseline_error": "EncoderError: down"}
    assert judged(rows((20, {}), (9, both))).verdict == "passed"
    nothing = judged(rows((12, FAILED)))
    assert nothing.verdict == "not_judged"


def test_the_report_names_what_changed_most_and_no_answers() -> None:
    other = {"overlap": 0.3, "top_changed": True, "documents": ["docs/b|c.md"], "answer": "SECRET"}
    frame = rows((10, {}), (1, other), (1, {**ABSTAINED, "overlap": 0.9}), (1, FAILED))
    report = judged(frame).report
    assert "SECRET" not in report
    assert "It is so" not in report
    lines = [line for line in report.splitlines() if line.startswith("| what is")]
    assert [line.split(" | ")[2] for line in lines] == [
        "fails now",
        "no answer any more",
        "another first document",
    ]
    assert "docs/b&#124;c.md" in lines[2]
    assert most_changed(frame, 2)["question_id"].to_list() == ["q012", "q011"]


def test_a_summary_counts_what_was_compared() -> None:
    summary = summarize(rows((8, {}), (2, {"overlap": 0.5}), (3, FAILED)), "extractive")
    assert (summary["questions"], summary["compared"], summary["errors"]) == (13, 10, 3)
    assert summary["overlap"] == pytest.approx(0.9)
    assert summary["latency_ms"]["before"] == {"p50": 12.0, "p95": 12.0}
    low, high = summary["overlap_interval"]
    assert low <= 0.9 <= high
    empty = summarize(rows((2, FAILED)), "extractive")
    assert empty["overlap"] is None
    assert empty["latency_ms"]["now"] is None
