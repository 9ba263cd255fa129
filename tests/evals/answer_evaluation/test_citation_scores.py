"""Citation scores agree with their definition, character by character."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.answer_evaluation.citation_scores import (
    NOWHERE,
    Place,
    citation_precision,
    citation_recall,
    cited_places,
    finder,
    gold_places,
)
from evals.golden_questions.resolve import SearchableText
from rag_assets.query.answer import Citation

SPANS = st.tuples(st.integers(0, 20), st.integers(1, 8)).map(lambda s: (s[0], s[0] + s[1]))
PLACES = st.builds(Place, st.sampled_from(["a", "b", "c"]), st.one_of(st.none(), SPANS))
GOLD = st.lists(PLACES, min_size=1, max_size=5)
CITED = st.lists(st.lists(PLACES, min_size=1, max_size=3), max_size=5)


def characters(place: Place) -> set[tuple[str, int]]:
    """Every character of a place; no document here is longer than 40."""
    start, end = place.span or (0, 40)
    return {(place.document_id, offset) for offset in range(start, end)}


def citation(document: str, start: int, end: int, quote: str = "", *copies: str) -> Citation:
    return Citation(
        "1", document, "chunk", "", "", quote, start, end, None, 1.0, copies=list(copies)
    )


def relevant(document: str, quote: str | None) -> dict[str, object]:
    return {"document_id": document, "quote": quote, "page": None, "grade": 1}


@given(GOLD, CITED)
def test_scores_agree_with_the_literal_definition(
    gold: list[Place], cited: list[list[Place]]
) -> None:
    touched = [
        [bool(characters(g) & characters(p)) for p in places for g in gold] for places in cited
    ]
    if cited:
        expected = len([1 for row in touched if any(row)]) / len(cited)
        assert citation_precision(gold, cited) == pytest.approx(expected, abs=1e-6)
    shown = set().union(*(characters(place) for places in cited for place in places))
    hit = [piece for piece in gold if characters(piece) & shown]
    assert citation_recall(gold, cited) == pytest.approx(len(hit) / len(gold), abs=1e-6)


@given(GOLD, CITED, PLACES)
def test_one_more_citation_never_lowers_recall(
    gold: list[Place], cited: list[list[Place]], more: Place
) -> None:
    before, after = citation_recall(gold, cited), citation_recall(gold, [*cited, [more]])
    assert before is not None
    assert after is not None
    assert after >= before


def test_a_case_made_by_hand() -> None:
    gold = [Place("a", (10, 20)), Place("a", (30, 40)), Place("b", None)]
    cited = [[Place("a", (0, 10))], [Place("a", (19, 31))], [Place("c", (10, 20))]]
    assert citation_precision(gold, cited) == pytest.approx(1 / 3)
    assert citation_recall(gold, cited) == pytest.approx(2 / 3)


def test_nothing_cited_has_no_precision_and_no_recall_is_nothing_found() -> None:
    gold = [Place("a", (0, 5))]
    assert citation_precision(gold, []) is None
    assert citation_recall(gold, []) == 0.0
    assert citation_recall([], [gold]) is None


def test_a_copy_counts_where_the_words_stand_in_it() -> None:
    text = "Preface of the copy. Keep it ten years. Ask the notary."
    find = finder({"copy": SearchableText([(0, text)])})
    gold = gold_places([relevant("copy", "Keep it ten years.")], find)
    assert gold == [Place("copy", (21, 39))]
    same = cited_places(citation("original", 0, 18, "Keep it *ten* years.", "copy"), find)
    assert same == [Place("original", (0, 18)), Place("copy", (21, 39))]
    assert citation_precision(gold, [same]) == 1.0
    other = cited_places(citation("original", 19, 34, "Ask the notary.", "copy"), find)
    assert citation_precision(gold, [other]) == 0.0


def test_a_copy_without_the_very_words_touches_only_the_document_as_a_whole() -> None:
    find = finder({"copy": SearchableText([(0, "Retain it for ten years.")])})
    places = cited_places(citation("original", 0, 18, "Keep it ten years.", "copy", "far"), find)
    assert places[1:] == [Place("copy", NOWHERE), Place("far", NOWHERE)]
    assert citation_recall([Place("copy", (0, 24))], [places]) == 0.0
    assert citation_recall([Place("far", None)], [places]) == 1.0


def test_evidence_is_counted_once_and_not_at_all_when_its_quote_is_gone() -> None:
    find = finder({"a": SearchableText([(5, "Five days.")])})
    pieces = [relevant("a", "Five days."), relevant("a", "Five days."), relevant("b", None)]
    assert gold_places(pieces, find) == [Place("a", (5, 15)), Place("b", None)]
    assert gold_places([relevant("a", "Six days.")], find) is None
