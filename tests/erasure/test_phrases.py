"""Phrases: each is the document's own, none is anybody else's."""

from itertools import pairwise

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.erasure.phrases import (
    LONG_SENTENCE,
    found_in,
    is_long_enough,
    own_phrases,
    phrases_of,
    spread,
)

WORDS = st.sampled_from(
    ["alpha", "Beta", "rates", "\u00e9t\u00e9", "of", "the", "42", "\u6771\u4eac", "notary", "(see"]
)
SENTENCE = st.lists(WORDS, min_size=1, max_size=24).map(lambda words: " ".join(words) + ".")
TEXT = st.lists(SENTENCE, max_size=8).flatmap(
    lambda lines: st.sampled_from([" ", "\n", "\n\n- ", "\r\n", "\u2028"]).map(
        lambda between: between.join(lines)
    )
)


@given(texts=st.lists(TEXT, max_size=4), others=st.lists(TEXT, max_size=4))
def test_a_phrase_stands_in_the_document_and_in_no_other(
    texts: list[str], others: list[str]
) -> None:
    candidates = phrases_of(texts)
    own = own_phrases(candidates, [pl.Series([text], dtype=pl.String) for text in others])
    for phrase in own:
        assert any(phrase in text for text in texts)
        assert not any(phrase in text for text in others)
        assert is_long_enough(phrase)
        assert len(phrase.splitlines()) == 1
    # and every candidate that is left out is somebody else's
    for phrase in set(candidates) - set(own):
        assert any(phrase in text for text in others)


@given(words=st.lists(WORDS, min_size=4, max_size=40))
def test_no_sentence_of_the_document_is_left_out(words: list[str]) -> None:
    sentence = " ".join(words)
    phrases = phrases_of([f"# Title\n\nIntro. {sentence}. The end\n"])
    assert (f"{sentence}." in phrases) == is_long_enough(f"{sentence}.")


def test_lines_sentences_and_parts_of_long_sentences_are_phrases() -> None:
    long = "The board of the cooperative, having heard the treasurer, decided that no further loan "
    long += "would be given to members who had not paid back the one before it."
    text = f"## Minutes of the meeting\n\n- {long} Nobody voted against it.\n| Total | 12 |\n"
    phrases = phrases_of([text])
    assert len(long) > LONG_SENTENCE
    assert long in phrases
    assert "Nobody voted against it." in phrases
    assert "Minutes of the meeting" in phrases
    assert "The board of the cooperative, having heard the treasurer, decided" in phrases
    assert not any("Total" in phrase for phrase in phrases)
    # what quotes the sentence may cut it off in the middle
    assert found_in(pl.Series([long[:90]]), phrases)


def test_a_language_without_spaces_has_phrases_too() -> None:
    sentence = "\u5951\u7d04\u66f8\u306f\u5341\u5e74\u9593\u4fdd\u7ba1\u3055\u308c\u308b\u3002"
    assert phrases_of([sentence]) == [sentence]


def test_short_or_empty_pieces_are_no_phrases() -> None:
    assert (
        phrases_of(["", "\n\n", "Yes.", "- - - - - - - - - - - - - - - - -", "| --- | --- | --- |"])
        == []
    )


@given(phrases=st.lists(st.text(min_size=1), unique=True, max_size=60), most=st.integers(1, 40))
def test_at_most_so_many_and_from_everywhere(phrases: list[str], most: int) -> None:
    chosen = spread(phrases, most)
    assert len(chosen) == min(len(phrases), most)
    assert set(chosen) <= set(phrases)
    assert [len(phrase) for phrase in chosen] == sorted(map(len, chosen), reverse=True)
    if phrases:
        places = sorted(phrases.index(phrase) for phrase in chosen)
        gaps = [after - before for before, after in pairwise(places)]
        assert max(gaps, default=1) <= -(-len(phrases) // most)
