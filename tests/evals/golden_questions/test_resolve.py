"""Quotes are found in a release's chunks, however they were cut."""

from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.golden_questions.resolve import MARKERS, SearchableText, resolve
from evals.golden_questions.schema import GOLDEN_QUESTIONS

TEXT = "# Leave\n\nYou may take **five** days\ninto the next year.\n\n| grade | days |\n|---|---|\n| A | 30 |"


def question(question_id: str, *relevant: tuple[str, str | None]) -> dict[str, object]:
    items = [{"document_id": d, "quote": q, "page": None, "grade": 1} for d, q in relevant]
    return {"question_id": question_id, "question": "?", "relevant": items, "answerable": True}


def questions(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame([*rows], schema=GOLDEN_QUESTIONS)


def chunks(document: str, *spans: tuple[int, int]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "document_id": [document] * len(spans),
            "chunk_id": [f"{document}-{start}" for start, _ in spans],
            "char_start": [start for start, _ in spans],
            "text": [TEXT[start:end] for start, end in spans],
        }
    )


def letters(text: str) -> str:
    return "".join(item for item in text if not item.isspace() and item not in MARKERS)


@pytest.mark.parametrize(
    "quote", ["take five days into the next year.", "A | 30", "five  days into"]
)
def test_white_space_and_markers_do_not_matter(quote: str) -> None:
    span = SearchableText([(0, TEXT)]).find(quote)
    assert span is not None
    assert letters(TEXT[span[0] : span[1]]) == letters(quote)


@pytest.mark.parametrize("quote", ["six days", "", " | ", "Five days"])
def test_what_is_not_there_is_not_found(quote: str) -> None:
    assert SearchableText([(0, TEXT)]).find(quote) is None


@settings(deadline=None)
@given(st.data())
def test_any_part_of_a_document_is_found_in_its_chunks(data: st.DataObject) -> None:
    text = data.draw(st.text("ab *\n", min_size=1, max_size=60))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=5)) | {0, len(text)})
    overlap = data.draw(st.integers(0, 4))
    pieces = [
        (max(0, start - overlap), text[max(0, start - overlap) : end])
        for start, end in pairwise(cuts)
    ]
    first = data.draw(st.integers(0, len(text)))
    quote = text[first : data.draw(st.integers(first, len(text)))]
    span = SearchableText(pieces).find(quote)
    if letters(quote):
        assert span is not None
        assert letters(text[span[0] : span[1]]) == letters(quote)
        assert span[0] <= text.find(quote) + len(quote) - len(quote.lstrip(" \n*"))
    else:
        assert span is None


def test_evidence_recall_is_the_share_of_the_quote_that_the_passages_hold() -> None:
    start = TEXT.index("You")
    middle = TEXT.index("days\n")
    table = chunks("hr/leave", (start, middle), (middle, len(TEXT)))
    quote = "You may take five days into the next year."
    resolution = resolve(questions(question("q", ("hr/leave", quote))), {"hr/leave"}, table)
    assert not resolution.unresolved
    whole = TEXT.index("year.") + len("year.") - start
    share = resolution.evidence_recall("q", [f"hr/leave-{start}", "another chunk"])
    assert share == pytest.approx((middle - start) / whole)
    both = [f"hr/leave-{start}", f"hr/leave-{middle}"]
    assert resolution.evidence_recall("q", both) == 1.0
    assert resolution.evidence_recall("q", []) == 0.0


def test_evidence_that_is_gone_is_named_and_not_measured() -> None:
    table = questions(
        question("gone", ("hr/old", "five")),
        question("changed", ("hr/leave", "seven days"), ("hr/leave", "five days")),
        question("whole document", ("hr/leave", None)),
        question("present", ("hr/leave", "five days")),
    )
    resolution = resolve(table, {"hr/leave"}, chunks("hr/leave", (0, len(TEXT))))
    assert set(resolution.unresolved) == {"gone", "changed"}
    assert "hr/old" in resolution.unresolved["gone"][0]
    assert resolution.unresolved["changed"] == ["hr/leave does not say what is quoted from it"]
    assert set(resolution.evidence) == {"present"}
