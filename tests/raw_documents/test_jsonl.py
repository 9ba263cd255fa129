"""The JSONL source: one bad line never fails the others."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.platform.errors import SourceChanged, SourceUnavailable
from rag_assets.platform.settings import SourceSettings
from rag_assets.raw_documents.base import RECORD_MEDIA_TYPE, Fetched, Listed, Source
from rag_assets.raw_documents.lines import iter_lines
from rag_assets.raw_documents.sources import make_source

SCIFACT = Path(__file__).parents[2] / "../shared/data/retrieval/scifact_train/corpus.jsonl"
LIMIT = 1_000_000


def source_of(path: Path, **settings: Any) -> Source:
    return make_source("s", SourceSettings(kind="jsonl", path=str(path), **settings), {})


def read(path: Path, *records: Any, **settings: Any) -> dict[str, tuple[Listed, Fetched]]:
    lines = [item if isinstance(item, bytes) else json.dumps(item).encode() for item in records]
    path.write_bytes(b"\n".join(lines))
    source = source_of(path, **settings)
    return {item.document_id: (item, source.fetch(item, LIMIT)) for item in source.list()}


def test_a_record_becomes_a_document(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    record = {
        "_id": "d 1",
        "title": "Title",
        "text": "Tëxt",
        "acl": "hr, it",
        "metadata": {"url": "x", "year": 1},
        "attributes": {"year": 2},
        "lang": "en",
    }
    found = read(path, record, {"_id": 7, "text": ""}, acl=["staff"], attributes={"team": "all"})
    listed, fetched = found["s/d 1"]
    assert listed.uri == path.as_uri() + "#d%201"
    assert listed.media_type == fetched.media_type == RECORD_MEDIA_TYPE
    assert fetched.content == '{"text":"Tëxt","title":"Title"}'.encode()
    assert (fetched.title, fetched.acl) == ("Title", ["hr", "it"])
    assert fetched.attributes == {"team": "all", "url": "x", "year": 2, "lang": "en"}
    assert found["s/7"][1].content == b'{"text":"","title":""}'
    assert (found["s/7"][1].title, found["s/7"][1].acl) == (None, ["staff"])


@pytest.mark.parametrize(
    "line",
    [
        b"{not json",
        b"[1]",
        b'"text"',
        b'{"text": "no id"}',
        b'{"_id": "", "text": "x"}',
        b'{"_id": true, "text": "x"}',
        b'{"_id": "a\\nb", "text": "x"}',
        b'{"_id": "\\ud800", "text": "x"}',
        b'{"_id": "x"}',
        b'{"_id": "x", "text": 3}',
        b'{"_id": "x", "text": "t", "title": []}',
        b'{"_id": "x", "text": "t", "score": NaN}',
        b'{"_id": "x", "text": "\xff"}',
        b'{"_id": "x", "text": "t", "acl": ["a"], "acl": ["public"]}',
        b'{"_id": "x", "text": "t", "n": ' + b"[" * 100_000,
        b'{"_id": "x", "text": "t", "n": ' + b"9" * 10_000 + b"}",
    ],
)
def test_a_bad_line_is_a_problem_of_its_own(tmp_path: Path, line: bytes) -> None:
    good = {"_id": "good", "text": "fine"}
    found = read(tmp_path / "c.jsonl", line, b"", good)
    assert set(found) == {"s/good", "s/line-1"}
    assert found["s/good"][1].content
    listed, fetched = found["s/line-1"]
    assert listed.problem_kind == fetched.problem_kind == "bad_record"
    assert (fetched.content, fetched.acl) == (b"", [])


@pytest.mark.parametrize(
    "extra", [{"acl": None}, {"acl": [1]}, {"ACL": ["x"]}, {"metadata": 3}, {"attributes": "x"}]
)
def test_bad_metadata_closes_the_record(tmp_path: Path, extra: dict[str, Any]) -> None:
    found = read(tmp_path / "c.jsonl", {"_id": "a", "text": "x"} | extra, acl=["public"])
    _, fetched = found["s/a"]
    assert (fetched.problem_kind, fetched.acl, fetched.content) == ("bad_metadata", [], b"")


def test_the_first_of_two_records_with_one_id_wins(tmp_path: Path) -> None:
    records = [{"_id": "a", "text": "1"}, {"_id": "a", "text": "2"}, {"_id": "line-2", "text": "3"}]
    found = read(tmp_path / "c.jsonl", *records)
    assert set(found) == {"s/a", "s/line-2", "s/line-2~"}
    assert b'"1"' in found["s/a"][1].content
    assert b'"3"' in found["s/line-2"][1].content
    assert found["s/line-2~"][1].problem_kind == "duplicate_id"


def test_bom_and_windows_line_ends_and_lone_surrogates(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"_id":"a","text":"1"}\r\n\r\n{"_id":"b","text":"\\ud83d"}\r\n')
    source = source_of(path)
    contents = {item.document_id: source.fetch(item, LIMIT).content for item in source.list()}
    assert contents["s/a"] == b'{"text":"1","title":""}'
    assert contents["s/b"].decode() == '{"text":"\ufffd","title":""}'


def test_only_the_edited_record_changes_its_signature(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    before = read(path, {"_id": "a", "text": "1"}, {"_id": "b", "text": "2"})
    after = read(path, {"_id": "a", "text": "longer"}, {"_id": "b", "text": "2"})
    assert before["s/a"][0].signature != after["s/a"][0].signature
    assert before["s/b"][0].signature == after["s/b"][0].signature


def test_a_record_that_moved_between_listing_and_reading_is_told(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"_id":"a","text":"1"}\n')
    source = source_of(path)
    (listed,) = source.list()
    path.write_text('\n\n{"_id":"a","text":"1"}\n')
    assert source.fetch(listed, LIMIT).problem_kind == "changed_while_reading"


def test_a_file_that_changes_while_it_is_listed_gives_no_listing(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text('{"_id":"a","text":"1"}\n' * 2)
    listing = source_of(path).list()
    next(listing)
    path.write_text("")
    with pytest.raises(SourceChanged):
        list(listing)


def test_a_folder_is_no_jsonl_file(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="not a file"):
        list(source_of(tmp_path).list())


@given(
    lines=st.lists(st.binary().map(lambda line: line.replace(b"\n", b""))),
    cut=st.integers(1, 7),
    limit=st.integers(0, 12),
)
def test_lines_are_found_wherever_the_blocks_are_cut(
    lines: list[bytes], cut: int, limit: int
) -> None:
    data = b"\n".join(lines)
    blocks = [data[start : start + cut] for start in range(0, len(data), cut)]
    found = list(iter_lines(blocks, limit))
    for line in found:
        if line.content is not None:
            assert data[line.offset : line.offset + line.length] == line.content
            assert line.length <= limit
    expected = {
        number
        for number, line in enumerate(lines, 1)
        if len(line) > limit or line.removeprefix(b"\xef\xbb\xbf" if number == 1 else b"").strip()
    }
    assert {line.number for line in found} == expected


@pytest.mark.skipif(not SCIFACT.exists(), reason="shared data is absent")
def test_a_real_corpus() -> None:
    source = source_of(SCIFACT)
    listed = list(source.list())
    assert len(listed) == 5183
    assert not any(item.problem_kind for item in listed)
    assert all(source.fetch(item, LIMIT).title for item in listed[:50])
