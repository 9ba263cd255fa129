"""Copies collapse; passages that state something else never do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_assets.query.answer import Hit
from rag_assets.query.context.duplicates import collapse
from tests.query.context.hits import hit, search

LONG = (
    "Employees may claim the cost of travel between offices when their manager has agreed to the "
    "journey beforehand. The fee for late claims is £150 for adults and is taken from the next "
    "salary. Claims are made in the expenses tool with a receipt for every item, by 1 May 2026, and "
    "they are paid with the salary of the month after. Managers do not approve their own claims. "
    "Contractors follow the rules of their agency and ask there first before they travel anywhere."
)


def pair(one: str, other: str, **changes: object) -> list[Hit]:
    return [hit(one, document_id="docs/a"), hit(other, document_id="docs/b", **changes)]


def merged(hits: list[Hit], likeness: float = 0.9) -> bool:
    return len(collapse(hits, likeness)) == 1


def test_the_best_stays_and_names_its_copies_once() -> None:
    hits = [
        hit(LONG, document_id="docs/b"),
        hit("Something else.", document_id="docs/x"),
        hit(LONG, document_id="docs/a"),
        hit(f"{LONG}\n", document_id="docs/c", ordinal=3),
        hit(LONG, document_id="docs/c", ordinal=9),
        hit(LONG, document_id="docs/b", ordinal=7),
    ]
    found = collapse(hits, 0.9)
    assert [(one.rank, one.hit, one.copies) for one in found] == [
        (0, hits[0], ("docs/a", "docs/c")),
        (1, hits[1], ()),
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("offices", "sites"),
        ("journey beforehand", "trip beforehand"),
        ("The fee", "*The*  fee"),
        ("rules of their agency", "rules of the agency"),
        (" anywhere.", "."),
    ],
)
def test_small_changes_of_words_and_markup_make_a_copy(old: str, new: str) -> None:
    assert old in LONG
    assert merged(pair(LONG, LONG.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("£150", "£165"),
        ("£150", "€150"),
        ("£150", "£1,500"),
        ("£150", "-£150"),
        ("£150", "£15.0"),
        ("£150", "150"),
        ("1 May 2026", "1 June 2026"),
        ("1 May 2026", "2 May 2026"),
        ("1 May 2026", "1 May 2025"),
        ("do not approve", "do approve"),
        ("do not approve", "don't approve"),
        ("may claim", "may never claim"),
        ("£150 for adults", "£150 for pupils"),
        ("with a receipt", "without a receipt"),
        ("with a receipt", "with three receipts"),
        ("before they travel", "unless they travel"),
    ],
)
def test_a_number_a_negation_a_date_or_whom_they_concern_makes_another_statement(
    old: str, new: str
) -> None:
    assert old in LONG
    changed = LONG.replace(old, new)
    assert not merged(pair(LONG, changed))
    assert not merged(pair(changed, LONG))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("费用是一百元，五月前支付。", "费用是二百元，五月前支付。"),
        ("员工可以报销差旅费用。", "员工不可以报销差旅费用。"),
        ("Die Gebühr wird erstattet, sobald der Antrag vollständig vorliegt und geprüft ist. " * 2,
         "Die Gebühr wird nicht erstattet, sobald der Antrag vollständig vorliegt und geprüft ist. "
         * 2),
        ("٣ days of leave are granted to all", "٤ days of leave are granted to all"),
        ("Room ½ full", "Room ¼ full"),
    ],
)  # fmt: skip
def test_other_languages_and_scripts(one: str, other: str) -> None:
    assert not merged(pair(one, other), likeness=0.5)
    assert merged(pair(one, one))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Contractors", "Freelancers"),
        ("in the expenses tool", "in the Expenses tool"),
        ("between offices", "to London offices"),
        ("the expenses tool", "tools.expenses"),
        ("the expenses tool", "expenses_tool"),
    ],
)
def test_names_make_another_statement(old: str, new: str) -> None:
    assert old in LONG
    assert not merged(pair(LONG, LONG.replace(old, new)))
    assert merged(pair(LONG.replace(old, new), LONG.replace(old, new)))


def test_files_under_one_licence_are_not_copies() -> None:
    licence = "// Use of this code is granted to anybody under the terms that stand below it. " * 4
    assert not merged(pair(f"{licence} package tools.registry;", f"{licence} package tools.cli;"))
    assert not merged(pair(f"{licence} pathWithoutCmd", f"{licence} pathWithoutExe"))


def test_swapped_amounts_are_not_a_copy() -> None:
    one = "The fee is £150 for adults and £165 for children in every pool of the city."
    other = "The fee is £165 for adults and £150 for children in every pool of the city."
    assert not merged(pair(one, other), likeness=0.5)


def test_the_same_words_under_another_heading_are_another_rule() -> None:
    one, other = pair(LONG, LONG)
    under = {
        path: hit(LONG, document_id=f"docs/{number}", heading_path=list(path))
        for number, path in enumerate(
            [("UK", "Travel"), ("US", "Travel"), ("Handbook", "UK", "travel "), ("UK",)]
        )
    }
    assert not merged([under["UK", "Travel"], under["US", "Travel"]])
    assert not merged([under["UK", "Travel"], under[("UK",)]])
    assert merged([under["UK", "Travel"], under["Handbook", "UK", "travel "]])
    assert merged([one, under["UK", "Travel"]])
    assert merged([under["UK", "Travel"], other])


def test_likeness_is_the_share_of_words_in_common() -> None:
    one = " ".join(f"w{chr(97 + number)}" for number in range(10))
    other = one.replace("wj", "changed")
    assert merged(pair(one, other), likeness=0.9)
    assert not merged(pair(one, other), likeness=0.91)
    assert not merged(pair(one, f"{one} more words"), likeness=0.9)
    assert merged(pair(one, one), likeness=1.0)


def test_passages_without_words_are_copies_only_when_equal() -> None:
    assert merged(pair("---", "---"))
    assert not merged(pair("---", "***"))
    assert not merged(pair("", "---"))
    assert collapse([], 0.9) == []


def test_one_chunk_found_twice_is_there_once_at_its_best_place() -> None:
    first, second = hit("One.", ordinal=1), hit("Other words.", ordinal=2)
    found = collapse([first, second, first], 0.9)
    assert [one.hit for one in found] == [first, second]


@given(found=search(), likeness=st.floats(0.3, 1.0))
@settings(max_examples=100, deadline=None)
def test_nothing_is_lost_and_the_order_stays(
    found: tuple[dict[str, str], list[Hit], list[Hit]], likeness: float
) -> None:
    hits = found[2]
    kept = collapse(hits, likeness)
    assert [one.hit for one in kept] == [one for one in hits if one in [k.hit for k in kept]]
    assert [one.rank for one in kept] == list(range(len(kept)))
    named = {one.hit.document_id for one in kept} | {name for one in kept for name in one.copies}
    assert named == {one.document_id for one in hits}
    again = collapse([one.hit for one in kept], likeness)
    assert [one.hit for one in again] == [one.hit for one in kept]
