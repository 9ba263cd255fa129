import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.query.evidence.answer_type import expected_type, type_fit
from rag_assets.query.evidence.words import content_stems, names_of, negations, numbers_of, stem


@pytest.mark.parametrize(
    ("one", "other"),
    [("holidays", "holiday"), ("requested", "requests"), ("Bestellungen", "Bestellung"),
     ("Überstunden", "überstunde"), ("manager’s", "manager")],
)  # fmt: skip
def test_inflected_forms_share_a_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)


def test_different_words_keep_apart() -> None:
    assert (
        len({stem(word) for word in ("policy", "police", "holiday", "hotel", "tax", "taxi")}) == 6
    )


def test_numbers_have_one_spelling() -> None:
    assert numbers_of("1,200 or 1200 or 1.200") == {"1200"}
    assert numbers_of("3.50 and 3,5") == {"3.5"}
    assert numbers_of("thirty days") == numbers_of("dreißig Tage") == numbers_of("30 days")


def test_denials_and_names() -> None:
    assert negations("It isn't paid, and it is not late.") == 2
    assert negations("Das gilt nicht für keine.") == 2
    assert names_of("The office in Oldmere reports to NATO. Staff are told.") == {
        stem("Oldmere"),
        stem("NATO"),
    }


def test_scripts_without_spaces_have_words() -> None:
    assert set(content_stems("東京都の人口")) & set(content_stems("人口は"))


@pytest.mark.parametrize(
    ("question", "kind", "fits", "fails"),
    [
        ("How many days are there?", "quantity", "There are thirty days.", "There are some days."),
        ("Wann wird bezahlt?", "date", "Am 3. März.", "Das Geld kommt."),
        ("Who wrote it?", "person", "It was written by Ada Lovelace.", "it was written."),
        ("Wo liegt das Büro?", "place", "Es liegt in Oldmere.", "es ist groß."),
        ("Why is it late?", "reason", "It is late because of rain.", "It is late."),
    ],
)
def test_answer_types(question: str, kind: str, fits: str, fails: str) -> None:
    assert expected_type(question) == kind
    assert type_fit(kind, question, fits) > type_fit(kind, question, fails)


@given(st.text(max_size=200))
def test_any_text_has_stems(text: str) -> None:
    assert all(content_stems(text))
    assert type_fit(expected_type(text), text, text) in (0.0, 0.5, 1.0)
    assert numbers_of(text) >= set()
