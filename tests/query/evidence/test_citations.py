import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rag_assets.encoders.compiled import CompiledEncoder
from rag_assets.query.answer import Citation, Passage, Quote
from rag_assets.query.answerers.base import Draft
from rag_assets.query.evidence.citations import check_citations
from rag_assets.query.evidence.markers import find_runs
from tests.query.answerers.passages import TEXTS, make_passage

from .stand_in import HashedWords

PASSAGES = [make_passage(number, text) for number, text in enumerate(TEXTS, start=1)]


@pytest.mark.parametrize(
    ("draft", "text", "removed"),
    [
        ("Paid soon [3].", "Paid soon [3].", 0),
        ("Paid [3]. Keys [2]. Paid [3].", "Paid [3]. Keys [2]. Paid [3].", 0),
        ("Paid [2, 3].", "Paid [2][3].", 0),
        ("Paid [1-3].", "Paid [1][2][3].", 0),
        ("Paid [2][3].", "Paid [2][3].", 0),
        ("Paid 【2】 and ［ 3 ］.", "Paid [2] and [3].", 0),
        ("Paid [Source 2].", "Paid [2].", 0),
        ("Paid[2].", "Paid[2].", 0),
        ("Paid [9].", "Paid.", 1),
        ("Paid [2, 9].", "Paid [2].", 1),
        ("Paid [8-9] soon.", "Paid soon.", 2),
        ("Paid [[9]1] soon [2].", "Paid [1] soon [2].", 1),
        ("Paid [sic] in [2024].", "Paid [sic] in [2024].", 0),
        ("See [1](https://x.org) and ![2](a.png).", "See [1](https://x.org) and ![2](a.png).", 0),
        ("Call `a[1]` or array[0].", "Call `a[1]` or array[0].", 0),
        ("```\nx = y [1]\n```\nPaid [3].", "```\nx = y [1]\n```\nPaid [3].", 0),
        ("[3] Paid.", "[3] Paid.", 0),
        ("", "", 0),
    ],
)
def test_markers(draft: str, text: str, removed: int) -> None:
    checked = check_citations(Draft(draft), PASSAGES, HashedWords())
    assert (checked.text, checked.removed) == (text, removed)


def test_the_quote_is_the_sentence_that_supports(encoder: CompiledEncoder) -> None:
    draft = Draft("Only operations has keys to the server room [2]. Bills are paid in 14 days [3].")
    checked = check_citations(draft, PASSAGES, encoder)
    assert [citation.quote for citation in checked.citations] == [
        "Only the operations team has keys to it.",
        "Invoices are paid within fourteen days.",
    ]
    assert [support.markers for support in checked.support] == [["2"], ["3"]]
    assert [support.sentence for support in checked.support] == [
        "Only operations has keys to the server room.",
        "Bills are paid in 14 days.",
    ]
    assert [support.score for support in checked.support] == [c.score for c in checked.citations]


def test_a_wrong_number_shows_in_the_support(encoder: CompiledEncoder) -> None:
    right, wrong = (
        check_citations(Draft(f"Invoices are paid within {days} days [3]."), PASSAGES, encoder)
        for days in ("fourteen", "90")
    )
    assert right.support[0].score > 0.8
    assert wrong.support[0].score < 0.4


def test_the_quote_may_lie_in_a_neighbour(encoder: CompiledEncoder) -> None:
    hit = make_passage(1, "The canteen is open to guests.").hit
    after = replace(hit, chunk_id="after", text="Lunch costs seven euros.", char_start=500)
    passage = Passage(1, hit, (hit, after), copies=("docs/copy.md",))
    [citation] = check_citations(Draft("Lunch is 7 euros [1]."), [passage], encoder).citations
    assert (citation.chunk_id, citation.char_start) == ("after", 500)
    assert citation.quote == after.text
    assert citation.copies == ["docs/copy.md"]


def test_quotes_of_an_answerer_are_cited_one_by_one() -> None:
    hit = PASSAGES[1].hit
    end = hit.text.index(".") + 1
    quotes = (Quote("2", hit, 0, end, 0.9), Quote("2", hit, end + 1, len(hit.text), 0.4))
    draft = Draft("The room is upstairs. [2] Operations has keys. [2] Gone. [7]", quotes)
    checked = check_citations(draft, PASSAGES, HashedWords())
    assert checked.text == "The room is upstairs. [1] Operations has keys. [2] Gone."
    assert [c.quote for c in checked.citations] == [quote.text for quote in quotes]
    assert [c.score for c in checked.citations] == [0.9, 0.4]
    assert [(s.markers, s.score) for s in checked.support] == [(["1"], 1.0), (["2"], 1.0)]
    assert checked.removed == 1


PIECES = st.sampled_from(
    ["Invoices are paid", " keys", ". ", " ", "\n\n", "[1]", "[2]", "[3]", "[9]", "[1, 3]", "[2-3]",
     "[", "]", "1", "`", "```", "(", ")", "[sic]", "【2】", "x", "[0]", "(http://a)", ":", "!"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=14).map("".join))
@example("[2]([1, 3])")
def test_markers_and_citations_agree(text: str) -> None:
    checked = check_citations(Draft(text), PASSAGES, HashedWords())
    _assert_verbatim(checked.citations)
    markers = [citation.marker for citation in checked.citations]
    assert len(set(markers)) == len(markers)
    runs = find_runs(checked.text, range(1, 4))
    pointed = list(dict.fromkeys(number for run in runs for number in run.numbers))
    assert [str(number) for number in pointed] == markers
    cited = [_passage_of(citation) for citation in checked.citations]
    assert [str(number) for number in cited] == markers
    twice = check_citations(Draft(checked.text), PASSAGES, HashedWords())
    assert (twice.text, twice.removed) == (checked.text, 0)
    assert twice.citations == checked.citations


def _assert_verbatim(citations: Sequence[Citation]) -> None:
    for citation in citations:
        text = TEXTS[_passage_of(citation) - 1]
        assert citation.quote == text[citation.char_start : citation.char_end]
        assert 0 <= citation.score <= 1


def _passage_of(citation: Citation) -> int:
    found = re.fullmatch(r"docs/(\d)\.md", citation.document_id)
    assert found is not None
    return int(found[1])
