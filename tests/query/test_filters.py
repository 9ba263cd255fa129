"""The filter language: what Lance returns is what the filter means, and values never become SQL."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rag_assets.platform.errors import InvalidQuestion
from rag_assets.query.access import Caller, acl_condition
from rag_assets.query.filters import Filter, combine, parse_filter
from rag_assets.query.filters.fields import OPERATORS, Field
from rag_assets.query.filters.parse import MAX_CHARS, MAX_DEPTH, MAX_VALUES
from rag_assets.query.filters.syntax import All, AnyOf, Comparison, Condition, Not, Period, Value
from rag_assets.vector_index.reader import IndexReader
from rag_assets.vector_index.rows import readers
from rag_assets.vector_index.table import IndexTable
from tests.vector_index.rows_for_tests import DIMENSIONS, rows, vector_of, with_vectors

HOSTILE = (
    "",
    "a",
    "A",
    "ab",
    "100%_b",
    "100x_b",
    "it's",
    "''",
    "' OR 1=1 --",
    "') OR ('1'='1",
    "\\",
    "a\\'b",
    '"quoted"',
    "two\nlines",
    "\x00\x1f",
    "é",
    "e\u0301",
    "🎉",
    "x=y",
    "name",
    "; DROP TABLE chunks",
    "/* */",
    "${x} {y} $1 ?",
)
NAMES = ("team", "a", "ab", "cost centre", "it's", "in", "é", "%")
DAY = datetime(2026, 1, 1, tzinfo=UTC)
INSTANTS = (
    DAY,
    DAY - timedelta(microseconds=1),
    DAY + timedelta(hours=9, microseconds=7),
    DAY + timedelta(days=1) - timedelta(microseconds=1),
    DAY + timedelta(days=1),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
)
TEXT_FIELDS = ("source", "path", "document", "title", "type")
ACLS = ([], ["public"], ["staff"], ["board", "staff"], ["') OR 1=1 --"])

texts = st.sampled_from(HOSTILE) | st.text(
    st.characters(blacklist_categories=["Cs"], max_codepoint=0x1F600), max_size=6
)
instants = st.sampled_from(INSTANTS)


@st.composite
def index_row(draw: st.DrawFn) -> dict[str, Any]:
    """The columns of a row that filters and rights look at."""
    source = draw(st.sampled_from(["docs", "handbook", "d"]))
    first = draw(st.none() | st.integers(1, 5))
    names = st.sampled_from(NAMES)
    entries = st.lists(st.builds(lambda name, text: f"{name}={text}", names, texts), max_size=4)
    return {
        "source": source,
        "document_id": f"{source}/{draw(texts)}",
        "title": draw(st.none() | texts),
        "media_type": draw(st.sampled_from([None, "text/markdown", "application/pdf"])),
        "modified_at": draw(st.none() | instants),
        "acl": draw(st.sampled_from([None, *ACLS])),
        "page_first": first,
        "page_last": None if first is None else first + draw(st.integers(0, 2)),
        "attribute_values": draw(st.none() | entries.map(lambda found: sorted(set(found)))),
    }


@st.composite
def comparison(draw: st.DrawFn) -> Comparison:
    """One comparison that the language can express."""
    name = draw(st.sampled_from([*TEXT_FIELDS, "modified", "page", "attributes", "attributes"]))
    field = Field(name, draw(st.sampled_from(NAMES)) if name == "attributes" else "")
    operator = draw(st.sampled_from(OPERATORS[field.kind]))
    size = {"exists": 0, "in": 3, "not in": 3}.get(operator, 1)
    values: st.SearchStrategy[Value] = texts
    if name == "source":
        values = st.sampled_from(["docs", "handbook", "doc"]) | texts
    if name == "modified":
        days = instants.map(lambda moment: Period.day(moment.year, moment.month, moment.day))
        values = days | instants.map(Period.instant)
    if name == "page":
        values = st.integers(0, 8)
    drawn = draw(st.lists(values, min_size=min(size, 1), max_size=size))
    return Comparison(field, operator, tuple(drawn))


conditions: st.SearchStrategy[Condition] = st.recursive(
    comparison(),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda found: All(tuple(found))),
        st.lists(inner, min_size=2, max_size=3).map(lambda found: AnyOf(tuple(found))),
    ),
    max_leaves=6,
)


def index_frame(drawn: list[dict[str, Any]]) -> pl.DataFrame:
    """Whole index rows from the columns that were drawn."""
    frame = rows({f"docs/{number}": [f"word {number}"] for number in range(len(drawn))})
    frame = frame.sort(pl.col("document_id").str.slice(5).cast(pl.Int64))
    schema = {name: frame.schema[name] for name in drawn[0]}
    changed = frame.with_columns(pl.DataFrame(drawn, schema=schema).get_columns())
    return with_vectors(changed.with_columns(readers=readers()))


def store(folder: Path, frame: pl.DataFrame) -> IndexTable:
    """A real table with these rows in two fragments."""
    table = IndexTable(str(folder), "x", DIMENSIONS)
    half = frame.height // 2
    for part in (frame.head(half), frame.tail(frame.height - half)):
        table.commit_shard("docs", part, [], lambda: frame)
    return table


def found_by(reader: IndexReader, condition: str | None) -> set[str]:
    return set(reader.dense(vector_of("anything"), 1000, condition).chunk_id)


def expected(frame: pl.DataFrame, chosen: Filter) -> set[str]:
    return {row["chunk_id"] for row in frame.iter_rows(named=True) if chosen.matches(row)}


class Indexed:
    """One table of hostile rows, before and after its scalar indices were made."""

    def __init__(self, folder: Path) -> None:
        drawn = []
        for number in range(400):
            pick = HOSTILE[number % len(HOSTILE)]
            source = ("docs", "handbook", "d")[number % 3]
            first = (None, 1, 2, 3, 5)[number % 5]
            name = NAMES[number % len(NAMES)]
            values = [f"{name}={pick}", f"{NAMES[number % 7]}={HOSTILE[number % 11]}"]
            drawn.append(
                {
                    "source": source,
                    "document_id": f"{source}/{HOSTILE[number % 19]}",
                    "title": None if number % 7 == 0 else HOSTILE[number % 13],
                    "media_type": (None, "text/markdown", "application/pdf")[number % 3],
                    "modified_at": (None, *INSTANTS)[number % 9],
                    "acl": (None, *ACLS)[number % 6],
                    "page_first": first,
                    "page_last": None if first is None else first + number % 3,
                    "attribute_values": (None, [], sorted(set(values)))[min(number % 8, 2)],
                }
            )
        self.frame = index_frame(drawn)
        table = store(folder, self.frame)
        self.plain = IndexReader(str(folder), "x", table.version)
        table.prepare()
        self.indexed = IndexReader(str(folder), "x", table.version)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Indexed:
    return Indexed(tmp_path_factory.mktemp("lance"))


@given(condition=conditions)
@settings(max_examples=250, deadline=None)
def test_lance_returns_what_the_filter_means_with_and_without_indices(
    index: Indexed, condition: Condition
) -> None:
    chosen = Filter(condition)
    wanted = expected(index.frame, chosen)
    assert found_by(index.plain, chosen.to_sql()) == wanted
    assert found_by(index.indexed, chosen.to_sql()) == wanted


@given(
    drawn=st.lists(index_row(), min_size=1, max_size=6), several=st.lists(conditions, min_size=4)
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_lance_agrees_on_rows_never_seen_before(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[dict[str, Any]], several: list[Condition]
) -> None:
    folder = tmp_path_factory.mktemp("lance")
    frame = index_frame(drawn)
    reader = IndexReader(str(folder), "x", store(folder, frame).version)
    for condition in several:
        chosen = Filter(condition)
        assert found_by(reader, chosen.to_sql()) == expected(frame, chosen)


@given(
    condition=conditions,
    groups=st.sets(st.sampled_from(["staff", "board", "') OR 1=1 --"])),
    authenticated=st.booleans(),
    admin=st.booleans(),
)
@settings(max_examples=120, deadline=None)
@example(
    condition=AnyOf(
        (
            Comparison(Field("page"), "exists"),
            Not(Comparison(Field("page"), "exists")),
        )
    ),
    groups=set(),
    authenticated=True,
    admin=False,
)
def test_a_filter_narrows_what_the_caller_may_read_and_never_widens_it(
    index: Indexed, condition: Condition, groups: set[str], authenticated: bool, admin: bool
) -> None:
    chosen = Filter(condition)
    rights = acl_condition(Caller(frozenset(groups), admin, authenticated))
    readable = {
        row["chunk_id"]
        for row in index.frame.iter_rows(named=True)
        if admin
        or {"public", *groups} & set(row["acl"] or [])
        or (not row["acl"] and not authenticated)
    }
    wanted = readable & expected(index.frame, chosen)
    prefilter = combine(rights, chosen)
    assert found_by(index.indexed, prefilter) == wanted
    words = index.indexed.full_text("word", 1000, prefilter)
    assert set(words.chunk_id) == wanted


def test_rights_stand_apart_from_a_filter_written_without_parentheses(index: Indexed) -> None:
    """Even a condition that begins with OR-joined parts stays inside the caller's rights."""
    rights = "source = 'docs' OR source = 'handbook'"
    chosen = parse_filter('title = "a" or title exists')
    found = found_by(index.indexed, combine(rights, chosen))
    rows_of = {row["chunk_id"]: row for row in index.frame.iter_rows(named=True)}
    assert {rows_of[name]["source"] for name in found} == {"docs", "handbook"}
    assert all(rows_of[name]["title"] is not None for name in found)


def test_nothing_to_leave_out_is_no_condition() -> None:
    assert combine(None, None) is None
    assert combine("x", None) == "(x)"


@given(condition=conditions)
@settings(max_examples=400, deadline=None)
def test_the_text_of_a_filter_parses_to_the_same_filter(condition: Condition) -> None:
    chosen = Filter(condition)
    text = str(chosen)
    if len(text) <= MAX_CHARS:
        assert parse_filter(text) == chosen
        assert str(parse_filter(text)) == text


@given(
    text=st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            [
                "source",
                "page",
                "modified",
                "x",
                "=",
                "in",
                "not",
                "(",
                ")",
                '"a"',
                "'b",
                "1",
                ",",
                ".",
                "starts with",
                "exists",
                "and",
                "or",
                "2026-01-01",
                "attributes",
                "\\",
                "-",
                "true",
            ]
        ),
        max_size=12,
    ).map(" ".join)
)
@settings(max_examples=400, deadline=None)
def test_any_text_is_a_filter_or_an_explained_mistake(text: str) -> None:
    mistake: InvalidQuestion | None = None
    try:
        chosen = parse_filter(text)
    except InvalidQuestion as error:
        mistake = error
    if mistake is None:
        assert parse_filter(str(chosen)) == chosen
    else:
        assert str(mistake).encode()
        assert mistake.hint


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("source = handbook", 10, "value"),
        ("source", 7, "operator"),
        ('source = "x" and', 17, "a field"),
        ('(source = "x"', 14, "')'"),
        ('source = "x" team = 1', 14, "'and'"),
        ('source = "x', 10, "closing quote"),
        ("source = 3", 10, "in quotes"),
        ('page < "3"', 8, "page number"),
        ("page = 1.5", 8, "page number"),
        ("modified > 5", 12, "2026-01-31"),
        ("modified >= 2026-02-30", 13, "2026-01-31"),
        ('title > "x"', 7, "starts with"),
        ('team contains "x"', 6, "starts with"),
        ("souce = 'x'", 1, "'source'"),
        ("Titel = 'x'", 1, "'title'"),
        ("foo.bar = 1", 1, "attributes"),
        ("attributes = 1", 11, "a dot"),
        ('attributes."a=b" = 1', 12, "'='"),
        (r"source = '\q'", 10, "escapes"),
        (r"source = '\ud800'", 10, "Unicode"),
        ("source = '\ud800'", 10, "Unicode"),
        ("; DROP TABLE chunks", 1, "a field"),
    ],
)
def test_a_mistake_is_pointed_at(text: str, column: int, words: str) -> None:
    with pytest.raises(InvalidQuestion) as caught:
        parse_filter(text)
    assert f"column {column}:" in caught.value.message
    assert words in caught.value.message
    assert "attributes.<name>" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n",
        "page = 1" + " " * MAX_CHARS,
        "not " * MAX_DEPTH + "page = 1",
        "not " * 490 + "page = 1",
        f"page in ({', '.join('1' * (MAX_VALUES + 1))})",
        " or ".join(["page = 1"] * (MAX_VALUES + 1)),
    ],
)
def test_filters_are_bounded(text: str) -> None:
    with pytest.raises(InvalidQuestion):
        parse_filter(text)


def test_the_largest_filter_is_taken() -> None:
    assert parse_filter("not " * (MAX_DEPTH - 1) + "page = 1")
    assert parse_filter(" or ".join(["page = 1"] * MAX_VALUES))
    assert parse_filter("(" * 200 + "page = 1" + ")" * 200)


def test_and_binds_more_tightly_than_or() -> None:
    bare = parse_filter("page = 1 or page = 2 and not page = 3")
    grouped = parse_filter("page = 1 OR (page = 2 AND (NOT (page = 3)))")
    assert bare == grouped


def test_a_bare_name_is_an_attribute_and_keywords_are_whole_words() -> None:
    assert parse_filter("notes = 1 and island = 2") == parse_filter(
        "attributes.notes = 1 and attributes.island = 2"
    )
    assert parse_filter("attributes.souce exists") == parse_filter('attributes."souce" exists')


def test_literals_of_attributes_are_compared_as_the_index_keeps_them() -> None:
    row = {"attribute_values": ["draft=true", "due=2026-01-31", "year=2024"]}
    assert parse_filter("year = 2024 and draft = TRUE and due = 2026-01-31").matches(row)
    assert parse_filter('year = "2024"').matches(row)
    assert not parse_filter("year = 2025 or draft = false").matches(row)


@pytest.mark.parametrize(
    ("text", "true_for_day", "true_for_nothing"),
    [
        ("modified = 2026-01-01", True, False),
        ("modified <= 2026-01-01", True, False),
        ("modified >= 2026-01-01", True, False),
        ("modified > 2026-01-01", False, False),
        ("modified < 2026-01-01", False, False),
        ("modified != 2026-01-01", False, True),
        ("not modified = 2026-01-01", False, True),
        ("not modified > 2026-01-01", True, True),
        ("modified not in (2026-01-01, 2026-01-02)", False, True),
        ("modified > 2026-01-01T00:00:00+02:00", True, False),
        ("not modified exists", False, True),
    ],
)
def test_a_date_is_the_whole_day_and_what_is_absent_satisfies_nothing(
    text: str, true_for_day: bool, true_for_nothing: bool
) -> None:
    chosen = parse_filter(text)
    for moment in (DAY, DAY + timedelta(hours=23, minutes=59, seconds=59, microseconds=999999)):
        assert chosen.matches({"modified_at": moment}) is true_for_day
    assert chosen.matches({"modified_at": None}) is true_for_nothing


def test_times_with_a_zone_are_that_instant() -> None:
    east = datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert parse_filter("modified = 2026-01-01T01:00:00+02:00") == Filter(
        Comparison(Field("modified"), "=", (Period.instant(east),))
    )
    assert str(parse_filter("modified = 2026-01-01T01:00+02:00")).endswith("2025-12-31T23:00:00Z")


@pytest.mark.parametrize(
    ("text", "pages"),
    [
        ("page = 3", {(3, 3), (2, 4)}),
        ("page < 3", {(1, 1), (2, 4)}),
        ("page >= 4", {(2, 4), (5, 5)}),
        ("page in (1, 5)", {(1, 1), (5, 5)}),
        ("page != 3", {(1, 1), (5, 5), (None, None)}),
    ],
)
def test_a_passage_is_on_each_of_its_pages(text: str, pages: set[tuple[int, int]]) -> None:
    spans = [(1, 1), (3, 3), (2, 4), (5, 5), (None, None)]
    chosen = parse_filter(text)
    assert {(a, b) for a, b in spans if chosen.matches({"page_first": a, "page_last": b})} == pages


def test_a_path_is_what_follows_the_source() -> None:
    row = {"source": "handbook", "document_id": "handbook/hr/2026/leave.md"}
    assert parse_filter('path starts with "hr/2026/" and path contains "leave"').matches(row)
    assert not parse_filter('path contains "handbook"').matches(row)
    assert parse_filter('document = "handbook/hr/2026/leave.md"').matches(row)
