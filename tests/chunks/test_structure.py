"""What only ``structure`` promises: blocks stay whole, headings lead, edits stay local."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_assets.chunks.base import Budget, Span
from rag_assets.chunks.structure import StructureSplitter

from .counter import word_piece_counter

COUNTER = word_piece_counter()
SPLITTER = StructureSplitter()
_WORDS = "leave travel budget laptop review manager holiday Zürich policy request approve 2026 team"
WORDS = _WORDS.split(" ")


def passages(text: str, max_tokens: int = 200, title: str = "") -> list[str]:
    return [
        text[s.start : s.end]
        for s in SPLITTER.split(text, Budget(COUNTER, max_tokens, title=title))
    ]


def spans(text: str, max_tokens: int = 200) -> list[Span]:
    return SPLITTER.split(text, Budget(COUNTER, max_tokens))


def paragraph(source: random.Random, most: int = 6) -> str:
    return " ".join(
        " ".join(source.choices(WORDS, k=source.randint(4, 25))).capitalize() + "."
        for _ in range(source.randint(1, most))
    )


@st.composite
def edits(draw: st.DrawFn, make_most: int = 6) -> tuple[list[str], list[str]]:
    """A long list of paragraphs, and the same with one edited, inserted or deleted."""
    source = random.Random(draw(st.integers(0, 10**9)))
    before = [paragraph(source, make_most) for _ in range(60)]
    after = list(before)
    place = draw(st.integers(0, len(before) - 1))
    kind = draw(st.sampled_from(["edit", "insert", "delete"]))
    after[place : place + (kind != "insert")] = [] if kind == "delete" else [paragraph(source)]
    return before, after


@settings(max_examples=25, deadline=None, derandomize=True)
@given(edits())
def test_an_edit_in_a_long_text_changes_few_passages(texts: tuple[list[str], list[str]]) -> None:
    before, after = (Counter(passages("\n\n".join(paragraphs))) for paragraphs in texts)
    assert before.total() > 15
    assert (after - before).total() <= 4
    assert (before - after).total() <= 5


@settings(max_examples=6, deadline=None, derandomize=True)
@given(edits(40))
def test_an_edit_among_paragraphs_over_the_budget(texts: tuple[list[str], list[str]]) -> None:
    before, after = (Counter(passages("\n\n".join(paragraphs))) for paragraphs in texts)
    replaced = sum(COUNTER.counts(list(set(texts[0]) ^ set(texts[1])))) / 80
    assert (after - before).total() <= 6 + replaced


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 10**9), st.integers(0, 19))
def test_an_edit_under_a_heading_changes_only_its_section(seed: int, place: int) -> None:
    source = random.Random(seed)
    sections = [[paragraph(source) for _ in range(source.randint(2, 9))] for _ in range(20)]

    def text() -> str:
        return "# Guide\n\n" + "\n\n".join(
            f"## Part {number}\n\n" + "\n\n".join(body) for number, body in enumerate(sections)
        )

    before = set(passages(text()))
    sections[place][0] = paragraph(source) + " Edited."
    after = text()
    first = after.index(f"## Part {place}\n")
    last = after.find("## Part ", first + 5) % (len(after) + 1)
    for span in spans(after):
        if after[span.start : span.end] not in before:
            assert first - len("# Guide\n\n") <= span.start
            assert span.end <= last


def test_a_document_that_fits_is_one_passage() -> None:
    text = "# Leave\n\nTen days.\n\n## Sick leave\n\nCall your manager.\n"
    assert passages(text) == [text.strip()]


def test_sections_are_cut_apart_and_know_their_headings() -> None:
    body = "Every team plans its own budget for the year and reviews it in June. " * 8
    text = f"# Guide\n\n## Travel\n\n{body}\n\n### Trains\n\n{body}\n\n## Food\n\n{body}"
    paths = [span.heading_path for span in spans(text)]
    assert ("Guide", "Travel") in paths
    assert ("Guide", "Travel", "Trains") in paths
    assert ("Guide", "Food") in paths


def test_a_heading_without_text_goes_with_what_follows() -> None:
    body = "Every team plans its own budget for the year and reviews it in June. " * 10
    text = f"# Guide\n\n## Travel\n\n### Trains\n\n{body}\n\n## Food\n\n{body}"
    first, *_, last = passages(text)
    assert first.startswith("# Guide\n\n## Travel\n\n### Trains\n\nEvery team")
    assert last.startswith("## Food\n\nEvery team")


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 30)), min_size=1, max_size=25))
def test_no_passage_ends_with_the_heading_of_a_later_text(outline: list[tuple[int, int]]) -> None:
    parts = []
    for level, count in outline:
        parts.append("#" * level + f" Heading {len(parts)}")
        if count:
            parts.append("Plan the budget of the team. " * count)
    text = "\n\n".join([*parts, "The end."])
    for span in spans(text, 100):
        assert not text[span.start : span.end].rsplit("\n", 1)[-1].startswith("#")


def test_small_sections_are_put_together() -> None:
    text = "# Terms\n\n" + "\n\n".join(f"## Term {n}\n\nMeaning number {n}." for n in range(60))
    cut = passages(text)
    assert len(cut) < 20
    assert all(COUNTER.count(passage) > 40 for passage in cut)


def test_rows_of_a_long_table_carry_the_header() -> None:
    rows = "\n".join(f"| city {n} | {n * 10} | {n % 7} |" for n in range(200))
    text = (
        f"# Offices\n\nAll of them.\n\n| Place | People | Floors |\n|---|---|---|\n{rows}\n\nEnd."
    )
    cut = spans(text)
    assert len(cut) > 5
    for span in cut[1:-1]:
        assert text[span.start : span.end].startswith("| city")
        assert span.lead == "| Place | People | Floors |"
    assert cut[0].lead == ""
    assert "| city 0 " in text[cut[0].start : cut[0].end]


def test_a_code_block_that_fits_stays_whole() -> None:
    code = "```python\n" + "\n\n".join(f"def f{n}():\n    return {n}" for n in range(12)) + "\n```"
    prose = "Every team plans its own budget for the year and reviews it in June. " * 9
    text = f"# Code\n\n{prose}\n\n{code}\n\n{prose}"
    assert COUNTER.count(code) < 190
    assert any(code in passage for passage in passages(text))


def test_a_long_heading_leaves_most_of_the_budget_to_the_text() -> None:
    text = f"# {'Very long title of a chapter ' * 6}\n\n" + "One more sentence of the text. " * 300
    cut = passages(text, 100, "Handbook " * 50)[1:-1]
    assert sum(COUNTER.counts(cut)) / len(cut) > 30


def test_a_paragraph_underlined_by_chance_is_no_heading() -> None:
    text = (
        "A line of a long paragraph\nand another line of it\n---\n\nMore. "
        + "Word after word. " * 200
    )
    assert {span.heading_path for span in spans(text)} == {()}


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_ends_do_not_shift_spans(line_end: str) -> None:
    body = "Every team plans its own budget for the year. " * 8
    text = f"# 戦場 😀\n\n{body}\n\n## Zwei\n\n{body}\n\n```\na\nb\n```\n\n## Drei\n\n{body}"
    text = text.replace("\n", line_end)
    starts = [text[span.start : span.end].split(line_end)[0] for span in spans(text, 120)]
    assert starts == ["# 戦場 😀", "## Zwei", "## Drei"]
