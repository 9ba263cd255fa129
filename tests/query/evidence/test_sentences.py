from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.encoders.compiled import CompiledEncoder
from rag_assets.query.evidence.closest import closest
from rag_assets.query.evidence.pages import page_at
from rag_assets.query.evidence.readable import readable
from rag_assets.query.evidence.sentences import MAX_ENCODED, score_sentences, sentences_of
from rag_assets.query.evidence.vectors import RememberedVectors
from tests.query.answerers.passages import TEXTS, make_passage

from .stand_in import HashedWords

TABLE = """## Plans

| Plan | Price |
|------|-------|
| Small | 5 euros |
| Large | 9 euros |

- Ask the finance team first [12]
- **Then** wait for [their reply](https://x.org)
"""


def test_sentences_are_what_can_stand_alone() -> None:
    hit = make_passage(1, TABLE).hit
    found = sentences_of(hit)
    assert [(sentence.kind, readable(sentence)) for sentence in found] == [
        ("row", "Plan: Small; Price: 5 euros."),
        ("row", "Plan: Large; Price: 9 euros."),
        ("item", "Ask the finance team first (12)."),
        ("item", "Then wait for their reply."),
    ]


def test_a_heading_line_of_a_pdf_is_no_part_of_a_sentence() -> None:
    hit = make_passage(1, "Gender Affirming Care\nThe plan covers hormone therapy.").hit
    assert [sentence.text for sentence in sentences_of(hit)][
        -1
    ] == "The plan covers hormone therapy."


@given(st.text(alphabet=st.sampled_from("ab C.!?\n#|-1) 。漢字:"), max_size=300))
def test_spans_are_exact_and_ordered(text: str) -> None:
    found = sentences_of(make_passage(1, text).hit)
    assert all(s.text.strip() == s.text and s.text in text and s.text for s in found)
    assert all(one.end <= other.start for one, other in pairwise(found))


def test_the_answering_sentence_wins(encoder: CompiledEncoder) -> None:
    passages = [[make_passage(number, text).hit] for number, text in enumerate(TEXTS, start=1)]
    for question, answer in (
        ("How many days of holiday are there?", "thirty days"),
        ("Who has keys to the server room?", "operations team"),
        ("When are invoices paid?", "fourteen days"),
    ):
        scored = score_sentences(question, encoder.encode([question])[0], passages, encoder)
        assert answer in scored.sentences[scored.best_first()[0]].text
        assert ((scored.scores > 0) & (scored.scores < 1)).all()


def test_encoding_is_bounded_and_keeps_what_shares_words() -> None:
    filler = " ".join(f"Nothing of note stands in line {n} here." for n in range(200))
    hits = [[make_passage(1, filler).hit], [make_passage(2, "The zebra crossing is closed.").hit]]
    words = HashedWords()
    scored = score_sentences("Is the zebra crossing closed?", words.encode(["x"])[0], hits, words)
    assert len(scored.sentences) == len(words.encoded) - 1 == MAX_ENCODED
    assert any("zebra" in sentence.text for sentence in scored.sentences)


def test_what_is_said_twice_counts_once() -> None:
    words = HashedWords()
    hits = [[make_passage(n, "The office closes at six.").hit] for n in (1, 2)]
    assert len(score_sentences("When?", words.encode(["x"])[0], hits, words).sentences) == 1


def test_closest_cites_one_sentence_a_hit(encoder: CompiledEncoder) -> None:
    hits = [make_passage(number, text).hit for number, text in enumerate((*TEXTS, TEXTS[0]), 1)]
    question = "When are invoices paid?"
    citations = closest(question, encoder.encode([question])[0], hits, encoder)
    assert [citation.marker for citation in citations] == ["1", "2", "3"]
    for citation, text in zip(citations, TEXTS, strict=True):
        assert citation.quote == text[citation.char_start : citation.char_end]
    assert closest(question, encoder.encode([question])[0], [], encoder) == []


def test_pages() -> None:
    from dataclasses import replace

    hit = replace(make_passage(1, "x" * 100).hit, page_first=4, page_last=5)
    first = hit.char_start
    hit = replace(hit, page_breaks=[first + 30, first + 80])
    assert [page_at(hit, at, at + 20) for at in (0, 29, 30, 79, 80)] == [4, 4, 5, 5, 6]
    assert page_at(replace(hit, page_first=None, page_last=None), 0, 10) is None


def test_remembered_vectors_are_encoded_once() -> None:
    words = HashedWords()
    remembered = RememberedVectors(words, capacity=2)  # type: ignore[arg-type]
    first = remembered.encode(["a b", "c", "a b"])
    assert words.encoded == ["a b", "c"]
    assert np.array_equal(first, HashedWords().encode(["a b", "c", "a b"]))
    assert np.array_equal(remembered.encode(["c"]), first[1:2])
    assert words.encoded == ["a b", "c"]
    remembered.encode(["d", "e", "f"])
    remembered.encode(["c"])
    assert words.encoded[-1] == "c"
    assert remembered.encode([]).shape == (0, 64)
