"""A version never gives more than both its own ACL and the present manifest allow."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import Settings
from rag_assets.platform.tables import Stamp
from rag_assets.query.access import Caller, acl_condition
from rag_assets.query.retrieval import rights as rights_module
from rag_assets.query.retrieval.rights import PresentRights
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

Acls = dict[str, list[str]]
NAMES = ["docs/a", "docs/b", "docs/c"]
ACL = st.lists(st.sampled_from(["public", "staff", "board", "o'neil"]), unique=True, max_size=3)
ACLS = st.fixed_dictionaries(dict.fromkeys(NAMES, ACL))
CALLERS = st.builds(
    Caller,
    groups=st.frozensets(st.sampled_from(["staff", "board", "o'neil"])),
    admin=st.booleans(),
    authenticated=st.booleans(),
)


def write_manifest(platform: Platform, acls: Acls) -> None:
    frame = raw(acls)
    platform.tables.write("raw_documents", "docs", frame, Stamp(repr(acls), "", ""))


def index_of(folder: Path, acls: Acls) -> IndexReader:
    table = IndexTable(str(folder), "x", DIMENSIONS)
    texts = {name: [f"canary of {name}"] for name in acls}
    rows = index_rows(
        raw(acls),
        parsed(dict.fromkeys(acls, "text")),
        chunks(texts),
        embeddings(texts),
        "docs",
        "run",
    )
    table.commit_shard("docs", with_vectors(rows), [], lambda: rows)
    return IndexReader(str(folder), "x", table.version)


def allows(acl: list[str], caller: Caller) -> bool:
    """The rule, in plain Python."""
    if caller.admin:
        return True
    return bool(({"public"} | caller.groups) & set(acl)) or (not acl and not caller.authenticated)


def seen(reader: IndexReader, rights: PresentRights, caller: Caller) -> set[str]:
    conditions = [acl_condition(caller), rights.condition(caller)]
    condition = " AND ".join(f"({item})" for item in conditions if item) or None
    return set(reader.dense(vector_of("x"), 10, condition).document_id)


@given(then=ACLS, now=ACLS, gone=st.sets(st.sampled_from(NAMES)), callers=st.lists(CALLERS))
@settings(max_examples=25, deadline=None)
def test_both_the_version_and_the_manifest_must_allow(
    tmp_path_factory, then: Acls, now: Acls, gone: set[str], callers: list[Caller]
) -> None:
    folder = tmp_path_factory.mktemp("rights")
    platform = Platform(Settings(home=str(folder)))
    write_manifest(platform, {name: acl for name, acl in now.items() if name not in gone})
    reader = index_of(folder / "lance", then)
    rights = PresentRights(platform, reader)
    for caller in callers:
        expected = {
            name
            for name in NAMES
            if allows(then[name], caller) and (name in gone or allows(now[name], caller))
        }
        assert seen(reader, rights, caller) == expected


def test_a_right_that_is_taken_away_is_noticed_without_a_new_release(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(rights_module, "CHECK_SECONDS", 0.0)
    acls = {name: ["public"] for name in NAMES}
    platform = Platform(Settings(home=str(tmp_path)))
    write_manifest(platform, acls)
    reader = index_of(tmp_path / "lance", acls)
    rights = PresentRights(platform, reader)
    assert rights.condition(Caller()) is None
    write_manifest(platform, {**acls, "docs/b": ["board"]})
    assert seen(reader, rights, Caller()) == {"docs/a", "docs/c"}
    assert seen(reader, rights, Caller.of(["board"])) == set(NAMES)
    write_manifest(platform, acls)
    assert seen(reader, rights, Caller()) == set(NAMES)
