"""Known items: one document's questions depend on that document alone."""

from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.golden_questions.known_items import ask_for, informative_sentences, known_items
from evals.golden_questions.schema import GOLDEN_QUESTIONS

THINGS = ["harbour", "orchard", "furnace", "viaduct", "bakery", "foundry", "archive", "windmill"]
VERBS = ["repaired", "painted", "measured", "flooded", "rebuilt", "inspected", "sold", "insured"]


def sentence(number: int) -> str:
    """A sentence that no other number gives."""
    thing, verb = THINGS[number % 8], VERBS[number // 8 % 8]
    who = "abcdefghij"[number % 10] * 3 + "xyz" + "klmnopqrst"[number // 10 % 10] * 2
    return f"The old {thing} near the river was {verb} by the company of {who} before winter came."


def frame(documents: dict[str, tuple[list[int], list[str]]]) -> pl.DataFrame:
    rows = [
        (name, " ".join(map(sentence, numbers)) or None, acl)
        for name, (numbers, acl) in documents.items()
    ]
    schema = {"document_id": pl.String, "text": pl.String, "acl": pl.List(pl.String)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def by_document(questions: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in questions.rows(named=True):
        found.setdefault(row["relevant"][0]["document_id"], []).append(row)
    return {name: sorted(rows, key=lambda row: row["question_id"]) for name, rows in found.items()}


def one(text: str, acl: Sequence[str] = ("public",), **options: Any) -> list[dict[str, Any]]:
    schema = {"document_id": pl.String, "text": pl.String, "acl": pl.List(pl.String)}
    documents = pl.DataFrame([("docs/a", text, list(acl))], schema=schema, orient="row")
    return known_items([documents], 5, **options).rows(named=True)


@st.composite
def corpora(draw: st.DrawFn) -> dict[str, tuple[list[int], list[str]]]:
    """Documents that share no sentence."""
    sizes = draw(st.lists(st.integers(0, 4), min_size=2, max_size=8))
    acls = st.lists(st.sampled_from(["public", "people", "board"]), unique=True, max_size=2)
    found, start = {}, 0
    for at, size in enumerate(sizes):
        found[f"docs/{at}"] = (list(range(start, start + size)), draw(acls))
        start += size
    return found


@settings(deadline=None)
@given(corpora(), st.data())
def test_a_change_of_one_document_changes_its_own_questions_only(
    corpus: dict[str, tuple[list[int], list[str]]], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(corpus)))
    changed = dict(corpus)
    if data.draw(st.booleans()):
        del changed[name]
    else:
        changed[name] = (data.draw(st.lists(st.integers(50, 79), unique=True)), ["board"])

    before = by_document(known_items([frame(corpus)], 100))
    after = by_document(known_items([frame(changed)], 100))

    before.pop(name, None)
    after.pop(name, None)
    assert before == after


@settings(deadline=None)
@given(corpora(), st.integers(1, 6), st.data())
def test_where_the_number_is_limited_nothing_but_the_new_document_comes_in(
    corpus: dict[str, tuple[list[int], list[str]]], count: int, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(corpus)))
    less = {key: value for key, value in corpus.items() if key != name}

    before = known_items([frame(less)], count)
    after = known_items([frame(corpus)], count)

    assert after.height <= count
    came = set(after["question_id"]) - set(before["question_id"])
    assert came == {row["question_id"] for row in by_document(after).get(name, [])}


@settings(deadline=None)
@given(corpora(), st.integers(0, 8), st.randoms())
def test_partitions_and_their_order_do_not_matter(
    corpus: dict[str, tuple[list[int], list[str]]], count: int, random: Any
) -> None:
    whole = known_items([frame(corpus)], count)
    names = sorted(corpus)
    random.shuffle(names)
    parts = [frame({name: corpus[name]}) for name in names]
    assert known_items(parts, count).equals(whole)


def test_every_document_gives_one_question_before_any_gives_two() -> None:
    corpus = {f"docs/{at}": ([3 * at, 3 * at + 1, 3 * at + 2], ["public"]) for at in range(4)}
    for count, most in ((3, 1), (4, 1), (6, 2), (12, 3), (99, 3)):
        found = by_document(known_items([frame(corpus)], count))
        assert max(map(len, found.values())) == most
        assert sum(map(len, found.values())) == min(count, 12)


def test_a_question_names_its_document_its_sentence_and_who_may_ask() -> None:
    (row,) = one(sentence(3), ["public", "people", "board"])
    assert GOLDEN_QUESTIONS.names() == list(row)
    assert row["relevant"] == [
        {"document_id": "docs/a", "quote": sentence(3), "page": None, "grade": 1}
    ]
    assert row["groups"] == ["board", "people"]
    assert (row["origin"], row["tags"], row["answerable"]) == ("known_item", ["known_item"], True)
    assert row["half"] in ("train", "report")


def test_what_nobody_may_read_is_asked_by_nobody() -> None:
    assert one(sentence(3), [], authenticated=True) == []
    (row,) = one(sentence(3), [])
    assert row["groups"] == []
    assert len(one(sentence(3), ["people"], authenticated=True)) == 1


def test_a_sentence_that_several_documents_say_asks_for_none_of_them() -> None:
    documents = frame({"docs/a": ([1, 2], ["public"]), "docs/b": ([2, 3], ["public"])})
    quotes = known_items([documents], 10)["relevant"].explode().struct.field("quote").to_list()
    assert sorted(quotes) == sorted([sentence(1), sentence(3)])
    apart = [documents[:1], documents[1:]]
    assert known_items(apart, 10).equals(known_items([documents], 10))


@pytest.mark.parametrize(
    "text",
    [
        "Too short to ask.",
        "# The heading of a section that has more than eight words in it",
        "| a table | with many cells | that have | words in them | and more | words |",
        "1 22 333 4444 55555 666666 7777777 88888888 999999999 1010101010 a b c d e",
        "no no no no no no no no no no no no no no no no.",
        "if (x == 0) { return y[i] / z[j] + w[k] - v[l]; } // (((((( )))))) == != <= >=",
        "",
    ],
)
def test_what_says_nothing_is_not_asked(text: str) -> None:
    assert list(informative_sentences(text)) == []


def test_sentences_stand_in_the_text_as_they_are() -> None:
    text = f"# Works\n\n{sentence(1)}\n{sentence(2)}\n\n- {sentence(3)}"
    found = list(informative_sentences(text))
    assert len(found) == 3
    assert all(item in text for item in found)


def test_a_question_has_half_of_the_content_words() -> None:
    question = ask_for("The quick brown fox of the north jumps over lazy sleeping dogs.")
    assert question == "quick fox jumps lazy dogs"
