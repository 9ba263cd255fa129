"""Rules of the service that need no server: errors in words, follow-up questions, pages, notes."""

import errno
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from rag_app.service.conversation import Turn, question_of
from rag_app.service.markdown_notes import notes_of
from rag_app.service.told import as_known, status_of, words_of
from rag_app.service.whole_document import page_starts, text_of
from rag_assets.platform import errors
from rag_assets.query.answer import Answer, Citation, Hit


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OSError(errno.ENOSPC, "No space left on device: /secret/path"), 507),
        (OperationalError("SELECT secret", {}, Exception("/secret/path")), 503),
        (errors.IndexUnavailable("/secret/path is not there.", "Look at /secret/path."), 503),
        (errors.ConfigurationError("The key secret is wrong."), 500),
        (ValueError("secret"), 500),
    ],
)
def test_what_is_inside_stays_inside(error: Exception, status: int, tmp_path: Path) -> None:
    known = as_known(error, tmp_path)
    assert status_of(known) == status
    words = words_of(known)
    assert all(words)
    assert "secret" not in " ".join(words)


def test_what_the_caller_can_correct_is_told_in_full() -> None:
    error = errors.InvalidQuestion("The question is empty.", "Ask something.")
    assert status_of(error) == 422
    assert words_of(error) == ("The question is empty.", "Ask something.")


@pytest.mark.parametrize(
    ("before", "last", "asked"),
    [
        ("Which hotels are paid?", "And in Germany?", "Which hotels are paid? And in Germany?"),
        ("Who is the CFO?", "What does she sign?", "Who is the CFO? What does she sign?"),
        ("Who is the CFO?", "How many holidays are there?", "How many holidays are there?"),
        (
            "Who is the CFO?",
            "What does the travel policy of the year 2026 say about it when a train is late?",
            "What does the travel policy of the year 2026 say about it when a train is late?",
        ),
        ("", "What about it?", "What about it?"),
        ("Who is the CFO?", "  ", "Who is the CFO?"),
    ],
)
def test_a_short_question_that_points_back_takes_the_one_before_along(
    before: str, last: str, asked: str
) -> None:
    turns = [
        Turn("system", "Talk about it."),
        Turn("user", before),
        Turn("assistant", "It depends."),
        Turn("user", last),
    ]
    assert question_of(turns) == asked


def test_who_says_nothing_asks_nothing() -> None:
    assert question_of([Turn("system", "x"), Turn("assistant", "y")]) == ""


def passage(start: int, text: str, **values: Any) -> Hit:
    names = {"page_first": None, "page_last": None, "page_breaks": [], **values}
    return Hit(
        chunk_id=str(start),
        document_id="d/a",
        source="d",
        ordinal=start,
        title="",
        text=text,
        heading_path=[],
        uri="",
        char_start=start,
        char_end=start + len(text),
        token_count=1,
        modified_at=None,
        content_sha256="",
        attributes={},
        stale=False,
        score=0.0,
        **names,
    )


def test_a_document_is_put_together_at_its_own_offsets() -> None:
    parts = [passage(10, "overlap two"), passage(2, "one overlap"), passage(25, "end")]
    text = text_of(parts)
    assert len(text) == 28
    for part in parts:
        assert text[part.char_start : part.char_end] == part.text or part.char_start == 10
    assert text.startswith("\n\none overlap")
    assert text.endswith("\n\n\n\nend")


def test_pages_without_text_begin_where_the_next_one_does() -> None:
    parts = [
        passage(5, "a" * 20, page_first=1, page_last=3, page_breaks=[10, 10]),
        passage(30, "b" * 10, page_first=5, page_last=5),
    ]
    assert page_starts(parts) == [0, 10, 10, 30, 30]
    assert page_starts([passage(0, "x")]) == []


def test_notes_cannot_be_forged_by_a_title() -> None:
    forged = "Policy\n\n[2](http://evil) <script>"
    citation = Citation("1", "docs/`a`.md", "c", forged, "", "q", 0, 1, 3, 1.0)
    answer = Answer("id", "Yes [1].", False, [citation], {"id": 1})
    lines = notes_of(answer).strip().splitlines()
    assert lines == [
        "**Sources**",
        "",
        "- [1] Policy \\[2\\](http://evil) \\<script\\>, page 3 (`docs/a.md`)",
    ]
    assert notes_of(Answer("id", "No.", True, [], {"id": 1})) == ""
