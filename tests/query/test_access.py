"""The ACL prefilter: no search returns what the caller may not read, and nothing else is lost."""

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag_assets.query.access import Caller, acl_condition, readable
from rag_assets.vector_index.reader import IndexReader
from rag_assets.vector_index.rows import index_rows
from rag_assets.vector_index.table import IndexTable
from tests.vector_index.rows_for_tests import (
    DIMENSIONS,
    chunks,
    embeddings,
    parsed,
    raw,
    vector_of,
    with_vectors,
)

ACLS: dict[str, list[str]] = {
    "docs/public": ["public"],
    "docs/staff": ["staff"],
    "docs/both": ["board", "staff"],
    "docs/board": ["board"],
    "docs/none": [],
    "docs/quote": ["o'neil"],
    "docs/sql": ["') OR 1=1 --"],
    "docs/blank": [""],
}
GROUPS = st.sets(
    st.sampled_from(
        ["staff", "board", "o'neil", "') OR 1=1 --", "nobody", "Public", "' OR ''='", ""]
    )
)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> IndexReader:
    folder = str(tmp_path_factory.mktemp("lance"))
    table = IndexTable(folder, "x", DIMENSIONS)
    texts = {name: [f"canary of {name.removeprefix('docs/')}"] for name in ACLS}
    rows = index_rows(
        raw(ACLS),
        parsed(dict.fromkeys(ACLS, "text")),
        chunks(texts),
        embeddings(texts),
        "docs",
        "run",
    )
    table.commit_shard("docs", with_vectors(rows), [], lambda: rows)
    table.prepare()
    return IndexReader(folder, "x", table.version)


def allowed(caller: Caller) -> set[str]:
    """The rule, in plain Python."""
    groups = (caller.groups | {"public"}) - {""}
    return {
        name
        for name, acl in ACLS.items()
        if caller.admin or groups & set(acl) or (not acl and not caller.authenticated)
    }


@given(groups=GROUPS, admin=st.booleans(), authenticated=st.booleans())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_both_legs_return_exactly_what_the_caller_may_read(
    reader: IndexReader, groups: set[str], admin: bool, authenticated: bool
) -> None:
    caller = Caller(frozenset(groups), admin, authenticated)
    condition = acl_condition(caller)
    probe = vector_of("anything")
    for hits in (reader.dense(probe, 50, condition), reader.full_text("canary", 50, condition)):
        assert set(hits.document_id) == allowed(caller)
    everything = reader.neighbours({name: [0, 1] for name in ACLS}, condition)
    assert set(everything["document_id"]) == allowed(caller)
    chunk_ids = reader.dense(probe, 50, None).chunk_id
    assert set(reader.chunks(chunk_ids, condition)["document_id"]) == allowed(caller)


@given(groups=GROUPS, admin=st.booleans(), authenticated=st.booleans())
def test_the_rule_for_tables_is_the_rule_of_the_search(
    groups: set[str], admin: bool, authenticated: bool
) -> None:
    caller = Caller(frozenset(groups), admin, authenticated)
    rows = pl.DataFrame(
        {"document_id": list(ACLS), "acl": list(ACLS.values())},
        schema={"document_id": pl.String, "acl": pl.List(pl.String)},
    )
    assert set(rows.filter(readable(caller))["document_id"]) == allowed(caller)


def test_a_prefilter_does_not_cost_places(reader: IndexReader) -> None:
    """A filter after the search would return fewer hits than there are."""
    condition = acl_condition(Caller.of(["board"], authenticated=True))
    assert len(reader.dense(vector_of("anything"), 3, condition).row_id) == 3


def test_only_an_admin_has_no_condition() -> None:
    assert acl_condition(Caller(admin=True)) is None
    assert acl_condition(Caller()) is not None
    assert Caller.of([" staff ", "", "  "]).groups == {"staff"}


def test_rows_never_carry_vectors(reader: IndexReader) -> None:
    found = reader.dense(vector_of("anything"), 1, None)
    rows = (reader.rows(found.row_id), reader.chunks(found.chunk_id, None))
    assert all(frame.height == 1 and "vector" not in frame.columns for frame in rows)
