"""Laws that the difference of what two versions hold keeps, on made-up versions."""

from collections import Counter
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from rag_assets.releases.content_diff import CHANGES, FACTS, SERVED, content_diff

Document = dict[str, Any]
Version = dict[str, Document]

DOCUMENTS = st.fixed_dictionaries(
    {
        "content": st.integers(0, 4),
        "acl": st.sampled_from([None, [], ["public"], ["a", "b"], ["b", "a"]]),
        "uri": st.sampled_from(["here", "there"]),
        "title": st.sampled_from([None, "A", "B"]),
        "attributes": st.sampled_from(["{}", '{"team": "hr"}']),
        "parser": st.sampled_from(["p1", "p2"]),
        "width": st.sampled_from([2, 3]),
    }
)
VERSIONS = st.dictionaries(st.sampled_from([f"docs/{name}" for name in "abcdef"]), DOCUMENTS)


def passages(document: Document) -> list[tuple[int, int, str]]:
    """Start, end and text; contents overlap, as versions of a document do."""
    text = "".join(chr(97 + (document["content"] // 2 + place) % 9) for place in range(6))
    text += "!" * (document["content"] % 2)
    width = document["width"]
    return [
        (start, min(start + width, len(text)), text[start : start + width])
        for start in range(0, len(text), width)
    ]


def facts_of(document: Document) -> dict[str, Any]:
    named = {name: document[name] for name in FACTS if name in document}
    return {"content_sha256": f"sha-{document['content']}", **named}


def rows_of(version: Version) -> pl.DataFrame:
    rows = []
    for document_id, document in version.items():
        seen: Counter[str] = Counter()
        for start, end, text in passages(document):
            seen[text] += 1
            rows.append(
                {
                    "chunk_id": f"{document_id}|{text}|{seen[text]}",
                    "document_id": document_id,
                    "parser": document["parser"],
                    "char_start": start,
                    "char_end": end,
                    **facts_of(document),
                }
            )
    return pl.DataFrame(rows, schema=SERVED)


@given(VERSIONS)
def test_a_version_does_not_differ_from_itself(version: Version) -> None:
    rows = rows_of(version)
    diff = content_diff(rows, rows.reverse())
    assert diff.empty
    assert (diff.chunks_added, diff.chunks_removed, diff.chunks_kept) == (0, 0, rows.height)
    assert diff.unchanged == len(version)


@given(VERSIONS, VERSIONS)
def test_seen_from_the_other_side_it_is_the_same_difference(
    before: Version, after: Version
) -> None:
    there, back = (
        content_diff(rows_of(before), rows_of(after)),
        content_diff(rows_of(after), rows_of(before)),
    )
    mirrored = there.mirrored()
    assert_frame_equal(mirrored.changes, back.changes)
    totals = [{**vars(diff), "changes": None} for diff in (mirrored, back)]
    assert totals[0] == totals[1]
    assert_frame_equal(mirrored.mirrored().changes, there.changes)


@given(VERSIONS, VERSIONS)
@settings(max_examples=200)
def test_the_earlier_version_and_the_difference_give_the_later_one(
    before: Version, after: Version
) -> None:
    diff = content_diff(rows_of(before), rows_of(after))
    served = {name: told(document) for name, document in before.items()}
    for row in diff.changes.iter_rows(named=True):
        if "added" not in row["changes"]:
            gone = served.pop(row["former_id"] or row["document_id"])
            assert gone == {name: row[f"before_{name}"] for name in gone}
    for row in diff.changes.iter_rows(named=True):
        if "removed" not in row["changes"]:
            names = (*FACTS, "chunks")
            served[row["document_id"]] = {name: row[f"after_{name}"] for name in names}
    wanted = {name: told(document) for name, document in after.items()}
    # an ACL in another order, or none in another form, is no change
    assert comparable(served) == comparable(wanted)


def told(document: Document) -> dict[str, Any]:
    return {**facts_of(document), "chunks": len(passages(document))}


def comparable(version: Version) -> Version:
    return {
        name: {**document, "acl": sorted(document["acl"] or [])}
        for name, document in version.items()
    }


@given(VERSIONS, VERSIONS)
def test_the_sums_add_up(before: Version, after: Version) -> None:
    old, new = rows_of(before), rows_of(after)
    diff = content_diff(old, new)
    counts = diff.counts()
    both = diff.changes.height - counts["added"] - counts["removed"]
    assert diff.documents_before == len(before) == counts["removed"] + both + diff.unchanged
    assert diff.documents_after == len(after) == counts["added"] + both + diff.unchanged
    assert diff.chunks_added + diff.chunks_kept == new.height == diff.chunks_after
    assert diff.chunks_removed + diff.chunks_kept == old.height == diff.chunks_before
    told = diff.to_dict()["changes"]
    assert sum(row["chunks_added"] for row in told) == diff.chunks_added
    assert sum(row["chunks_removed"] for row in told) == diff.chunks_removed
    assert all(0 <= row["chunks_kept"] <= (row["after_chunks"] or 0) for row in told)


@given(VERSIONS, VERSIONS)
def test_what_a_document_is_said_to_have_seen_is_what_it_saw(
    before: Version, after: Version
) -> None:
    diff = content_diff(rows_of(before), rows_of(after))
    said = {row["document_id"]: row for row in diff.changes.iter_rows(named=True)}
    for name in before.keys() & after.keys():
        old, new = before[name], after[name]
        changes = set(said[name]["changes"]) if name in said else set()
        assert ("content" in changes) == (old["content"] != new["content"])
        assert ("permissions" in changes) == (set(old["acl"] or []) != set(new["acl"] or []))
        assert ("moved" in changes) == (old["uri"] != new["uri"])
        assert not {"added", "removed", "renamed"} & changes
        texts = [Counter(text for _, _, text in passages(document)) for document in (old, new)]
        if name in said:
            assert said[name]["chunks_kept"] == (texts[0] & texts[1]).total()
        else:
            assert texts[0] == texts[1]


@given(VERSIONS, VERSIONS)
def test_a_document_that_came_back_under_another_id_is_renamed(
    before: Version, after: Version
) -> None:
    diff = content_diff(rows_of(before), rows_of(after))
    gone = Counter(before[name]["content"] for name in before.keys() - after.keys())
    came = Counter(after[name]["content"] for name in after.keys() - before.keys())
    renamed = diff.changes.filter(pl.col("former_id").is_not_null())
    assert renamed.height == diff.counts()["renamed"] == (gone & came).total()
    for row in renamed.iter_rows(named=True):
        old, new = before[row["former_id"]], after[row["document_id"]]
        assert old["content"] == new["content"]


@given(DOCUMENTS, st.sampled_from(["p1", "p2"]), st.sampled_from([2, 3]))
def test_a_renamed_document_keeps_the_passages_that_the_same_parser_read(
    document: Document, parser: str, width: int
) -> None:
    renamed = {**document, "parser": parser, "width": width}
    diff = content_diff(rows_of({"docs/a": document}), rows_of({"docs/b": renamed}))
    (row,) = diff.changes.iter_rows(named=True)
    assert (row["former_id"], row["document_id"]) == ("docs/a", "docs/b")
    same = set(passages(document)) & set(passages(renamed)) if parser == document["parser"] else ()
    assert row["chunks_kept"] == diff.chunks_kept == len(same)


def test_what_matters_most_is_listed_first() -> None:
    document = {
        "content": 1,
        "acl": ["public"],
        "uri": "here",
        "title": "A",
        "attributes": "{}",
        "parser": "p1",
        "width": 2,
    }
    before = {"docs/a": document, "docs/b": document, "docs/c": document}
    after = {
        "docs/a": {**document, "title": "B"},
        "docs/b": {**document, "acl": ["a"], "uri": "there"},
        "docs/d": {**document, "content": 3},
    }
    diff = content_diff(rows_of(before), rows_of(after))
    listed = diff.most_important().select("document_id", "changes").rows()
    assert listed == [
        ("docs/c", ["removed"]),
        ("docs/d", ["added"]),
        ("docs/b", ["permissions", "moved"]),
        ("docs/a", ["metadata"]),
    ]
    assert diff.most_important(1)["document_id"].to_list() == ["docs/c"]
    assert len(diff.to_dict(2)["changes"]) == 2
    assert set(diff.counts()) == set(CHANGES)
