"""Front matter, sidecars and defaults: who may read a document is never left to chance."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_assets.platform.settings import SourceSettings
from rag_assets.raw_documents.base import Fetched
from rag_assets.raw_documents.front_matter import body_offset, read_front_matter
from rag_assets.raw_documents.metadata import MetadataError, jsonable
from rag_assets.raw_documents.sources import make_source

DEFAULTS: dict[str, Any] = {"acl": ["public"], "attributes": {"team": "all", "level": 1}}


def fetched(folder: Path, name: str, content: str | bytes, sidecar: str | None = None) -> Fetched:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    if sidecar is not None:
        (folder / f"{name}.meta.toml").write_text(sidecar)
    source = make_source("s", SourceSettings(path=str(folder), **DEFAULTS), {})
    (listed,) = source.list()
    assert listed.document_id == f"s/{name}"
    return source.fetch(listed, 1_000_000)


def test_each_layer_wins_over_the_one_before(tmp_path: Path) -> None:
    text = (
        "---\ntitle: From YAML\nacl: [hr, finance, hr]\nteam: people\nsince: 2024-05-01\n---\n# x\n"
    )
    plain = fetched(tmp_path, "a.md", text)
    assert (plain.title, plain.acl) == ("From YAML", ["finance", "hr"])
    assert plain.attributes == {"team": "people", "level": 1, "since": "2024-05-01"}
    assert plain.content == text.encode(), "the bytes are kept as they are"
    sidecar = 'acl = ["board"]\n[attributes]\nlevel = 3\n'
    beside = fetched(tmp_path, "a.md", text, sidecar)
    assert (beside.title, beside.acl, beside.attributes["level"]) == ("From YAML", ["board"], 3)


def test_a_sidecar_serves_any_kind_of_file_and_is_no_document(tmp_path: Path) -> None:
    result = fetched(tmp_path, "b.pdf", b"%PDF", 'title = "Plan"\nacl = []\n')
    assert (result.title, result.acl, result.content) == ("Plan", [], b"%PDF")


def test_front_matter_counts_only_in_markdown(tmp_path: Path) -> None:
    result = fetched(tmp_path, "c.txt", "---\nacl: [hr]\n---\ntext")
    assert (result.acl, result.problem_kind) == (["public"], None)


@pytest.mark.parametrize(
    "sidecar",
    [
        'acls = ["hr"]',
        'ACL = ["hr"]',
        "acl = 3",
        "acl = [1]",
        'acl = ["hr" "it"]',
        "title = 5",
        "attributes = 1",
        'acl = ["a,b"]',
        "acl = ['x\ty']",
        "a" * 70_000,
    ],
)
def test_a_bad_sidecar_closes_the_document(tmp_path: Path, sidecar: str) -> None:
    result = fetched(tmp_path, "a.md", "text", sidecar)
    assert (result.problem_kind, result.acl, result.content) == ("bad_metadata", [], b"")


def test_a_sidecar_that_leads_outside_closes_the_document(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside.toml").write_text('acl = ["public"]')
    (root / "a.md.meta.toml").symlink_to(tmp_path / "outside.toml")
    assert fetched(root, "a.md", "text").problem_kind == "bad_metadata"


def test_a_link_is_no_way_around_the_sidecar_of_its_target(tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("secret")
    (tmp_path / "secret.md.meta.toml").write_text('acl = ["board"]')
    (tmp_path / "link.md").symlink_to("secret.md")
    source = make_source("s", SourceSettings(path=str(tmp_path), **DEFAULTS), {})
    assert [source.fetch(item, 1000).acl for item in source.list()] == [["board"], ["board"]]


def test_a_changed_sidecar_changes_the_signature(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("text")
    source = make_source("s", SourceSettings(path=str(tmp_path)), {})
    bare = next(source.list()).signature
    (tmp_path / "a.md.meta.toml").write_text('acl = ["hr"]')
    assert next(source.list()).signature != bare


@pytest.mark.parametrize(
    "block",
    [
        "acl: [hr\n",
        "acl: 3\n",
        "acl:\n",
        "acl: [no]\n",
        "acl: {hr: true}\n",
        "acl: [hr]\nacl: [public]\n",
        "ACL: [hr]\n",
        "title: [a, b]\n",
        "attributes: 3\n",
        "title: a: b\n",
        "title: x\n\tacl: hr\n",
        "data: !!python/object/apply:os.system ['true']\n",
        "data: !!binary aGVsbG8=\n",
        "base: &a {x: 1}\nother:\n  <<: *a\n",
        "data: " + "[" * 5000 + "\n",
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(
            f"{new}: &{new} [{','.join(['*' + old] * 9)}]\n"
            for old, new in zip("abcdefgh", "bcdefghi", strict=True)
        ),
        "loop: &l [*l]\n",
    ],
)
def test_malformed_front_matter_closes_the_document(tmp_path: Path, block: str) -> None:
    result = fetched(tmp_path, "a.md", f"---\n{block}---\ntext\n")
    assert (result.problem_kind, result.acl, result.content) == ("bad_metadata", [], b"")


def test_front_matter_in_other_encodings_is_not_overlooked(tmp_path: Path) -> None:
    text = "---\r\nacl: [hr]\r\n---\r\ntext"
    assert fetched(tmp_path, "a.md", "\ufeff" + text).acl == ["hr"]
    assert fetched(tmp_path, "a.md", text.encode("utf-16")).acl == ["hr"]
    assert fetched(tmp_path, "a.md", text.replace("\r\n", "\r")).acl == ["hr"]
    latin = "---\nacl: [hr]\nauthor: J\xf6rg\n---\ntext".encode("latin-1")
    assert fetched(tmp_path, "a.md", latin).problem_kind == "bad_metadata"
    broken_body = b"---\nacl: [hr]\n---\n\xff\xfe text"
    assert fetched(tmp_path, "a.md", broken_body).acl == ["hr"]


def test_an_acl_that_is_never_closed_is_not_overlooked(tmp_path: Path) -> None:
    assert fetched(tmp_path, "a.md", "---\nacl: [hr]\n# Title\n").problem_kind == "bad_metadata"


@pytest.mark.parametrize(
    "text",
    [
        "---\n\nJust a rule, and prose.\n",
        "---\nSome prose between\ntwo rules.\n---\nmore\n",
        "---\n---\ntext\n",
        "---\n- a\n- list\n---\ntext\n",
        "----\nacl: hr\n----\n",
        "text\n---\nacl: hr\n---\n",
        "--- a/file\n+++ b/file\n",
        "---",
        "",
    ],
)
def test_a_rule_at_the_start_is_no_front_matter(tmp_path: Path, text: str) -> None:
    result = fetched(tmp_path, "a.md", text)
    assert (result.problem_kind, result.acl, result.title) == (None, ["public"], None)
    assert body_offset(text) == 0


def test_titles_may_be_numbers_and_dates_in_yaml(tmp_path: Path) -> None:
    assert fetched(tmp_path, "a.md", "---\ntitle: 2024\n---\n").title == "2024"
    assert fetched(tmp_path, "a.md", "---\ntitle: 2024-05-01\n---\n").title == "2024-05-01"
    assert fetched(tmp_path, "a.md", '---\ntitle: ""\n---\n').title is None


def test_acl_as_text(tmp_path: Path) -> None:
    assert fetched(tmp_path, "a.md", "---\nacl: hr, finance\n---\n").acl == ["finance", "hr"]
    assert fetched(tmp_path, "a.md", "---\nacl: []\n---\n").acl == []


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5
)


@given(values=st.dictionaries(st.text(), VALUES))
def test_jsonable_gives_strict_json(values: dict[str, Any]) -> None:
    json.dumps(jsonable(values), allow_nan=False).encode()


@given(
    head=st.sampled_from(["---\n", "---\r\n", "\ufeff---\n", "---  \n", "--\n", ""]),
    body=st.lists(
        st.sampled_from(["title: x", "acl: [a]", "---", "...", "prose", "", "- x", "\t", "a: b: c"])
    ),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_bytes_and_text_agree_on_what_is_front_matter(head: str, body: list[str], end: str) -> None:
    text = head + end.join(body)
    try:
        values = read_front_matter(text.encode())
    except MetadataError:
        return
    offset = body_offset(text)
    assert (offset > 0) == (values is not None)
    assert text[:offset].removeprefix("\ufeff").startswith("---") or offset == 0


@given(content=st.binary() | st.binary().map(lambda tail: b"---\nacl: " + tail))
def test_no_bytes_crash_the_reader(content: bytes) -> None:
    try:
        values = read_front_matter(content)
    except MetadataError:
        return
    assert values is None or isinstance(values, dict)
