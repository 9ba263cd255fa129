"""The budget: neighbours go first, then the worst hits; the best hit stays."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_assets.query.answer import Hit
from rag_assets.query.context.budget import fit
from rag_assets.query.context.duplicates import Distinct
from rag_assets.query.context.neighbours import Stretch
from rag_assets.query.context.sentence_cut import cut_to_fit
from tests.query.context.hits import erratic, hit, quarters, words


def chunk(ordinal: int, name: str = "docs/a") -> Hit:
    """Three words."""
    return hit(
        f"{name} number {ordinal}", document_id=name, ordinal=ordinal, char_start=ordinal * 99
    )


def stretch(ordinals: range, ranks: dict[int, int], name: str = "docs/a") -> Stretch:
    """Chunks of a document, of which some are hits: ordinal → rank."""
    parts = tuple(chunk(number, name) for number in ordinals)
    found = sorted((rank, ordinal) for ordinal, rank in ranks.items())
    copies = {ordinal: (f"copy/{ordinal}",) for ordinal in ranks}
    return Stretch(
        tuple(Distinct(rank, chunk(ordinal, name), copies[ordinal]) for rank, ordinal in found),
        parts,
    )


# ranks: a/5 is best, then b/5, then a/8
STRETCHES = [stretch(range(3, 10), {5: 0, 8: 2}), stretch(range(4, 7), {5: 1}, "docs/b")]


@pytest.mark.parametrize(
    ("chunks", "first", "second"),
    [
        (10, [3, 4, 5, 6, 7, 8, 9], [4, 5, 6]),
        (9, [4, 5, 6, 7, 8, 9], [4, 5, 6]),
        (7, [4, 5, 6, 8], [4, 5, 6]),
        (6, [4, 5, 6, 8], [4, 5]),
        (5, [4, 5, 6, 8], [5]),
        (4, [4, 5, 8], [5]),
        (3, [5, 8], [5]),
        (2, [5], [5]),
        (1, [5], []),
    ],
)
def test_the_budget_is_spent_in_the_order_of_worth(
    chunks: int, first: list[int], second: list[int]
) -> None:
    fitted = fit(STRETCHES, chunks * 3 + 2, words)
    kept = [[part.ordinal for part in passage.parts] for passage in fitted.passages]
    assert kept == [group for group in (first, second) if group]
    assert not fitted.cut
    assert fitted.passages[0].hit == chunk(5)


def test_copies_are_those_of_the_hits_that_are_left() -> None:
    assert fit(STRETCHES, 100, words).passages[0].copies == ("copy/5", "copy/8")
    assert fit(STRETCHES, 6, words).passages[0].copies == ("copy/5",)


def test_a_document_is_no_copy_of_itself() -> None:
    one = Distinct(0, chunk(0), ("docs/b",))
    other = Distinct(1, chunk(1), ("docs/a", "docs/b"))
    passages = fit([Stretch((one, other), (chunk(0), chunk(1)))], 100, words).passages
    assert passages[0].copies == ("docs/b",)


LONG = "The first sentence has six words. The second one has seven words here. And a third."


@pytest.mark.parametrize(
    ("budget", "text"),
    [
        (16, LONG),
        (15, "The first sentence has six words. The second one has seven words here."),
        (13, "The first sentence has six words. The second one has seven words here."),
        (12, "The first sentence has six words."),
        (6, "The first sentence has six words."),
        (5, "The first sentence has six"),
        (1, "The"),
    ],
)
def test_the_best_hit_alone_is_cut_after_a_sentence(budget: int, text: str) -> None:
    best = hit(LONG, char_start=40)
    other = hit("one", document_id="docs/b")
    found = (Distinct(0, best, ("docs/c",)), Distinct(1, other))
    fitted = fit([Stretch((one,), (one.hit,)) for one in found], budget, words)
    assert [passage.text for passage in fitted.passages] == [text]
    assert fitted.cut is (text != LONG)
    kept = fitted.passages[0]
    assert (kept.hit.char_start, kept.hit.char_end) == (40, 40 + len(text))
    assert kept.parts == (kept.hit,)
    assert kept.copies == ("docs/c",)


def test_a_word_longer_than_the_budget_is_cut_within() -> None:
    fitted = fit([Stretch((Distinct(0, hit("x" * 90)),), (hit("x" * 90),))], 10, quarters)
    assert fitted.passages[0].text == "x" * 40


def test_nothing_fits_nothing() -> None:
    assert fit(STRETCHES, 0, words).passages == []
    assert fit(STRETCHES, -5, quarters).passages == []
    assert fit([], 100, words).passages == []


@given(
    text=st.text(max_size=120) | st.lists(st.sampled_from(["a", "bc.", "D!", "\n"])).map(" ".join),
    budget=st.integers(0, 40),
    count=st.sampled_from([words, quarters, erratic]),
)
@settings(max_examples=300, deadline=None)
def test_a_cut_is_a_beginning_and_fits(text: str, budget: int, count: Callable[[str], int]) -> None:
    cut = cut_to_fit(hit(text), budget, count)
    if cut is not None:
        assert text.startswith(cut.text)
        assert cut.text
        assert cut.char_end == len(cut.text)
        assert count(cut.text) <= budget
