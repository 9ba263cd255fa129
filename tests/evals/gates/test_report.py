"""Reports name what got worse, and no text in them is anything but text."""

import html
import re

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from evals.gates.margins import run_tests
from evals.gates.markdown import escaped, table
from evals.gates.report import WORSE_SHOWN, retrieval_report
from tests.evals.gates.rows import results

HOSTILE = "| x | `code` <img src=x onerror=alert(1)> [a](http://b.c) **bold** ![i](u)\n# head"
TEXTS = st.text(
    st.one_of(st.sampled_from("|`*_[]()<>#&!\\~-+=$@:/. \n\t1aA"), st.characters(codec="utf-8")),
    max_size=60,
)


def report_of(rows: pl.DataFrame) -> str:
    tests = run_tests({"golden": rows}, {"ndcg": "ndcg@10"}, margin=0.02, confidence=0.95)
    return retrieval_report(tests, [])


def visible(markdown: str) -> str:
    """What a page shows of some Markdown with tables, tags removed."""
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
    return html.unescape(re.sub(r"<[^>]*>", "", rendered))


@given(text=TEXTS)
def test_a_hostile_text_in_a_table_shows_as_it_is_and_adds_no_markup(text: str) -> None:
    rendered = (
        MarkdownIt("commonmark", {"html": True})
        .enable("table")
        .render(table(["name", "value"], [[f"x{escaped(text, 10_000)}x", "end"]]))
    )
    tags = re.findall(r"</?(\w+)", rendered)
    assert set(tags) == {"table", "thead", "tbody", "tr", "th", "td"}
    assert tags.count("td") == 4  # two cells, opened and closed


@given(text=st.text(st.sampled_from("|`*_[]<>#&!\\~$@:/. aA"), max_size=60))
def test_what_is_escaped_reads_as_it_was_written(text: str) -> None:
    shown = visible(f"x{escaped(text)}x").strip()
    assert " ".join(shown.split()) == " ".join(f"x{' '.join(text.split())}x".split())


def test_long_texts_are_cut_and_disguises_removed() -> None:
    assert len(escaped("a" * 1000)) == 300
    assert escaped("a\u202eb\u2066c\x00d\r\ne") == "abc d e"


def test_both_rankings_stand_side_by_side_and_the_relevant_are_marked() -> None:
    rows = results("golden", [1.0] * 12, [0.0] + [1.0] * 11).with_columns(
        question=pl.when(pl.col("question_id") == "q0").then(pl.lit(HOSTILE)).otherwise("question"),
        evidence=pl.when(pl.col("question_id") == "q0")
        .then(pl.lit("changed"))
        .otherwise("evidence"),
        evidence_note=pl.lit("docs/0 does not say: <b>it</b>"),
    )
    report = report_of(rows)
    assert "### 1 question got worse" in report
    assert "ndcg@10 1.000 → 0.000 (golden, q0); evidence changed in docs/0" in report
    assert "does not say" not in report
    assert "| rank | before | now |" in report
    assert "| 1 | ✓ **docs/0** | docs/other |" in report
    assert "Relevant and not found now: docs/0" in report
    assert "<b>" not in report
    assert "<img" not in report
    assert report.count("| rank |") == 1
    assert HOSTILE.split("\n")[0][:60] in visible(report)


def test_documents_with_hostile_names_are_text_too() -> None:
    names = ["docs/a|b.md", "docs/<img src=x>.md"]
    rows = results("golden", [1.0], [0.0]).with_columns(
        ranking=pl.lit(names), baseline_ranking=pl.lit(names), relevant=pl.lit(names[:1])
    )
    report = report_of(rows)
    assert "| 1 | ✓ **docs/a&#124;b.md** | ✓ **docs/a&#124;b.md** |" in report
    assert "<img" not in report


def test_a_known_item_is_named_by_its_document_and_a_persons_question_by_itself() -> None:
    both = results("known_items", [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]).with_columns(
        question=pl.lit("caretaker boilers noon"),
        evidence=pl.lit("changed"),
        evidence_note=pl.lit("docs/0 does not say: The caretaker checks the boilers at noon."),
    )
    people = both.filter(pl.col("question_id") == "q2")
    known = both.filter(pl.col("question_id") != "q2").with_columns(
        origin=pl.lit("known_item"), evidence=pl.lit("current")
    )
    tests = run_tests(
        {"golden": people, "known_items": known}, {"ndcg": "n"}, margin=0.02, confidence=0.95
    )
    report = retrieval_report(tests, [])
    assert ". known item of docs/0**" in report
    assert "- known item of docs/1: n " in report
    assert report.count("caretaker boilers noon") == 1
    assert "The caretaker" not in report


def test_the_worst_come_first_and_the_rest_is_counted() -> None:
    before = [1.0] * 60
    now = [number / 60 for number in range(60)]
    report = report_of(results("golden", before, now))
    assert f"60 questions got worse, the worst {WORSE_SHOWN} of them here" in report
    shown = re.findall(r"\(golden, (q\d+)\)", report)
    assert shown == [f"q{number}" for number in range(WORSE_SHOWN)]


def test_what_got_better_is_told_short() -> None:
    report = report_of(results("golden", [0.0] * 15 + [1.0], [1.0] * 15 + [1.0]))
    assert "No question got worse." in report
    assert "### 15 questions got better" in report
    assert "- and 5 more" in report


def test_a_question_that_fell_by_two_metrics_is_told_once() -> None:
    rows = results("golden", [1.0] * 12, [0.5] + [1.0] * 11).with_columns(
        evidence_recall=pl.col("ndcg") * 0, baseline_evidence_recall=pl.col("baseline_ndcg")
    )
    tests = run_tests(
        {"golden": rows.head(1)},
        {"ndcg": "ndcg@10", "evidence_recall": "evidence_recall@10"},
        margin=0.02,
        confidence=0.95,
    )
    report = retrieval_report(tests, [])
    assert "### 1 question got worse" in report
    assert "evidence&#95;recall" in report or "evidence_recall@10 1.000 → 0.000" in report
