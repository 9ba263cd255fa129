"""Rights by comparison: every wrong row is found and named, nothing else is."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.gates.acl_leak import RightsFacts, forbidden_found, judge_rights
from evals.gates.canaries import Canary, CanaryResult, callers, restricted, sample
from evals.gates.rights import INDEX_RIGHTS, RIGHTS, Problem, widened, wrong_rows
from rag_assets.platform.settings import GateSettings
from rag_assets.query.access import Caller
from rag_assets.vector_index.rows import readers
from tests.evals.gates.rows import questions

Acl = list[str] | None
GROUPS = ["public", "people", "board", "o'neil"]
ACL = st.one_of(st.none(), st.lists(st.sampled_from(GROUPS), unique=True, max_size=3))
ACLS = st.dictionaries(st.sampled_from(["d/a", "d/b", "d/c", "d/d"]), ACL, min_size=1)


def manifest_of(acls: dict[str, Acl], partition: str = "docs") -> pl.DataFrame:
    rows = [{"document_id": name, "partition": partition, "acl": acl} for name, acl in acls.items()]
    return pl.DataFrame(rows, schema=RIGHTS)


def index_of(acls: dict[str, Acl], chunks: int = 2) -> pl.DataFrame:
    frame = pl.concat([manifest_of(acls)] * chunks).with_columns(readers=readers())
    return frame.cast(INDEX_RIGHTS)


def may_read(acl: Acl, groups: set[str], authenticated: bool) -> bool:
    """The rule, in plain Python."""
    return bool(set(acl or ()) & {"public", *groups}) or (not acl and not authenticated)


@given(acls=ACLS)
def test_rows_made_from_the_manifest_are_right(acls: dict[str, Acl]) -> None:
    assert wrong_rows(manifest_of(acls), index_of(acls)) == []


@given(acls=ACLS, others=ACLS)
def test_a_row_is_wrong_exactly_when_its_readers_differ(
    acls: dict[str, Acl], others: dict[str, Acl]
) -> None:
    stored = {name: others.get(name, acl) for name, acl in acls.items()}
    found = wrong_rows(manifest_of(acls), index_of(stored))
    expected = {name for name in acls if set(stored[name] or ()) != set(acls[name] or ())}
    assert {problem.document_id for problem in found} == expected


def test_one_wrong_chunk_of_a_document_is_enough_and_groups_are_named() -> None:
    acls: dict[str, Acl] = {"d/a": ["people"], "d/b": ["board"], "d/c": None}
    rows = pl.concat([index_of(acls), index_of({"d/a": ["people", "public"]}, 1)])
    assert wrong_rows(manifest_of(acls), rows) == [
        Problem("d/a", "can be read by 'public', which the manifest does not allow")
    ]
    rows = index_of({"d/a": ["people"], "d/b": [], "d/c": None})
    assert wrong_rows(manifest_of(acls), rows) == [
        Problem("d/b", "can be read by (no ACL), which the manifest does not allow"),
        Problem("d/b", "cannot be read by 'board', whom the manifest allows"),
    ]


def test_an_acl_that_lies_beside_right_readers_is_found() -> None:
    acls: dict[str, Acl] = {"d/a": ["people"]}
    rows = index_of(acls).with_columns(acl=pl.lit(["board"]))
    what = "has another ACL in the index than in the manifest"
    assert wrong_rows(manifest_of(acls), rows) == [Problem("d/a", what)]


def test_a_row_that_no_manifest_of_its_shard_lists_is_found() -> None:
    rows = index_of({"d/a": ["public"]})
    what = "is in the index and not in the manifest of its shard"
    assert wrong_rows(manifest_of({}), rows) == [Problem("d/a", what)]
    assert wrong_rows(manifest_of({"d/a": ["public"]}, "other"), rows) == [Problem("d/a", what)]


@given(then=ACLS, now=ACLS, authenticated=st.booleans())
def test_widened_is_what_somebody_may_read_who_could_not(
    then: dict[str, Acl], now: dict[str, Acl], authenticated: bool
) -> None:
    found = widened(manifest_of(then), manifest_of(now), authenticated=authenticated)
    people: list[set[str]] = [set(), *({group} for group in GROUPS)]
    expected = {
        name
        for name in now
        if name in then
        and any(
            may_read(now[name], groups, authenticated)
            and not may_read(then[name], groups, authenticated)
            for groups in people
        )
    }
    assert {problem.document_id for problem in found} == expected


def test_wider_access_names_the_new_readers() -> None:
    then, now = manifest_of({"d/a": ["board"]}), manifest_of({"d/a": ["board", "people"]})
    assert widened(then, now, authenticated=True) == [Problem("d/a", "can now be read by 'people'")]
    now = manifest_of({"d/a": ["public"]})
    assert widened(then, now, authenticated=True) == [Problem("d/a", "can now be read by everyone")]


@given(acls=ACLS, authenticated=st.booleans(), most=st.sampled_from([1, 3, 300]))
def test_every_group_without_the_right_asks_and_no_other(
    acls: dict[str, Acl], authenticated: bool, most: int
) -> None:
    kept = sample(restricted(manifest_of(acls), authenticated=authenticated), each=1)
    canaries = [
        Canary(name, tuple(acl), "?") for name, acl in kept.select("document_id", "acl").rows()
    ]
    asked: dict[str, set[str]] = {canary.document_id: set() for canary in canaries}
    nobody: set[str] = set()
    for canary, caller in callers(canaries, set(GROUPS), authenticated=authenticated, most=most):
        assert not may_read(list(canary.acl), set(caller.groups), authenticated)
        asked[canary.document_id] |= caller.groups
        nobody |= set() if caller.groups else {canary.document_id}
    for canary in canaries:
        assert asked[canary.document_id] == set(GROUPS) - set(canary.acl) - {"public"}
    assert nobody == set(asked)
    distinct = {
        frozenset(acl or ()) for acl in acls.values() if not may_read(acl, set(), authenticated)
    }
    assert {frozenset(canary.acl) for canary in canaries} == distinct


def facts(**values: object) -> RightsFacts:
    return RightsFacts(10, 5, 3, **values)  # type: ignore[arg-type]


LEAK = [Problem("d/a", "reached somebody in no group as a hit")]


@pytest.mark.parametrize("wider_access", ["warn", "block", "allow"])
@pytest.mark.parametrize(
    "leak", [{"wrong": LEAK}, {"canaries": CanaryResult(leaks=LEAK)}, {"forbidden": LEAK}]
)
def test_a_leak_always_blocks(wider_access: str, leak: dict[str, object]) -> None:
    gate = judge_rights(facts(**leak), GateSettings(wider_access=wider_access))  # type: ignore[arg-type]
    assert gate.blocks
    assert "1 leak: d/a reached somebody in no group as a hit" in gate.explanation
    assert gate.metadata["leaks"] == 1
    assert "d/a" in gate.report


def test_wider_access_does_what_the_settings_say() -> None:
    found = facts(wider=[Problem("d/a", "can now be read by everyone")])
    verdicts = {
        choice: judge_rights(found, GateSettings(wider_access=choice))
        for choice in ("warn", "block", "allow")
    }
    assert {name: gate.verdict for name, gate in verdicts.items()} == {
        "warn": "warned",
        "block": "failed",
        "allow": "passed",
    }
    assert "d/a can now be read by everyone" in verdicts["warn"].explanation
    assert verdicts["allow"].metadata["documents_read_by_more"] == 1
    assert judge_rights(facts(), GateSettings()).passed


def test_many_leaks_are_counted_and_the_first_named() -> None:
    many = [Problem(f"d/{number}", "leaks") for number in range(9)]
    gate = judge_rights(facts(wrong=many), GateSettings())
    assert gate.explanation.startswith("9 leaks: d/0 leaks; ")
    assert gate.explanation.endswith("; and 4 more")


def test_a_golden_question_finds_nothing_that_it_forbids() -> None:
    asked: list[Caller] = []

    def search(question: str, caller: Caller) -> set[str]:
        asked.append(caller)
        return {"d/a", "d/b"}

    nobody = Caller(authenticated=True)
    rows = pl.concat(
        [
            questions("golden", 1, forbidden=["d/a"], groups=["people"]),
            questions("other", 1, forbidden=["d/c"], gate=False),
            questions("plain", 3, forbidden=[]),
            questions("wide", 1, forbidden=["d/b"], gate=False),
        ]
    )
    found, count = forbidden_found(rows, search, nobody)
    assert count == 3
    assert found == [
        Problem("d/a", "was found by a member of 'people' with question q0 of golden"),
        Problem("d/b", "was found by somebody in no group with question q0 of wide"),
    ]
    assert asked == [Caller(frozenset({"people"}), authenticated=True), nobody, nobody]
