"""Storing uploads: a document is never without its readers, and nobody's is anybody else's."""

import tomllib
from pathlib import Path

import pytest

from rag_app.access import uploads
from rag_app.access.errors import Forbidden, UploadRefused
from rag_app.access.principal import Principal
from rag_app.access.uploads import check_upload, store_upload, upload_acl
from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import ServerSettings, Settings, SourceSettings
from rag_assets.query.access import Caller
from rag_assets.raw_documents.sources import open_partition

MIA = Principal("key:mia", Caller.of(["staff"], authenticated=True), frozenset({"upload"}), "key")
TOM = Principal("key:tom", Caller.of(["legal"], authenticated=True), frozenset({"upload"}), "key")
ROOT = Principal("key:root", Caller(admin=True, authenticated=True), frozenset({"admin"}), "key")


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    folder = tmp_path / "uploads"
    folder.mkdir()
    source = SourceSettings(path=str(folder), acl=["staff"])
    server = ServerSettings(uploads_source="inbox")
    return Platform(Settings(home=str(tmp_path / "home"), sources={"inbox": source}, server=server))


def put(platform: Platform, who: Principal, name: str, text: str, acl: list[str]) -> str:
    upload = check_upload(name, text.encode(), platform.settings)
    return store_upload(platform, who, upload, acl=acl, title="A title", attributes={"year": 2026})


def seen(platform: Platform) -> dict[str, tuple[bytes, list[str]]]:
    """What an ingest would read."""
    shard = open_partition(platform.settings, "inbox")
    fetched = {item.document_id: shard.fetch(item, 10**9) for item in shard.list()}
    return {name: (item.content, item.acl) for name, item in fetched.items()}


def test_an_upload_is_a_document_with_its_readers(platform: Platform) -> None:
    name = put(platform, MIA, "a.md", "one", ["legal", "staff"])
    assert seen(platform) == {name: (b"one", ["legal", "staff"])}
    shard = open_partition(platform.settings, "inbox")
    fetched = shard.fetch(next(shard.list()), 10**9)
    assert (fetched.title, fetched.attributes) == ("A title", {"year": 2026})


def test_two_people_may_use_the_same_name(platform: Platform) -> None:
    one = put(platform, MIA, "a.md", "mine", ["staff"])
    two = put(platform, TOM, "a.md", "mine too", ["legal"])
    assert one != two
    assert len(seen(platform)) == 2
    again = put(platform, MIA, "a.md", "better", ["staff"])
    assert again == one
    assert seen(platform)[one][0] == b"better"


class Killed(Exception):
    """The process ends here."""


@pytest.mark.parametrize("writes", [0, 1, 2, 3])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["staff"], ["legal"]),
        (["staff"], ["legal", "staff"]),
        (["legal", "staff"], ["staff"]),
        (["public"], ["staff"]),
    ],
)
def test_wherever_it_is_cut_off_nobody_sees_what_is_not_theirs(
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
    writes: int,
    before: list[str],
    after: list[str],
) -> None:
    name = put(platform, MIA, "a.md", "old", before)
    real, done = uploads._write, 0

    def write(storage: object, key: str, content: bytes) -> None:
        nonlocal done
        if done == writes:
            raise Killed
        done += 1
        real(storage, key, content)  # type: ignore[arg-type]

    monkeypatch.setattr(uploads, "_write", write)
    try:
        put(platform, MIA, "a.md", "new", after)
    except Killed:
        assert writes < 3
    content, readers = seen(platform)[name]
    allowed = {b"old": set(before), b"new": set(after)}[content]
    assert set(readers) <= allowed
    if writes == 3:
        assert (content, set(readers)) == (b"new", set(after))


@pytest.mark.parametrize("writes", [0, 1])
def test_a_new_document_is_never_without_its_readers(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    real, done = uploads._write, 0

    def write(storage: object, key: str, content: bytes) -> None:
        nonlocal done
        if done == writes:
            raise Killed
        done += 1
        real(storage, key, content)  # type: ignore[arg-type]

    monkeypatch.setattr(uploads, "_write", write)
    with pytest.raises(Killed):
        put(platform, MIA, "a.md", "new", ["legal"])
    assert seen(platform) == {}


def test_nobody_but_an_administrator_publishes_to_groups_they_are_not_in(
    platform: Platform,
) -> None:
    settings = platform.settings
    assert upload_acl(MIA, None, settings) == ["staff"]
    assert upload_acl(MIA, ["staff"], settings) == ["staff"]
    assert upload_acl(TOM, [" legal ", "staff"], settings) == ["legal", "staff"]
    for groups in (["legal"], ["public"], ["staff", "board"]):
        with pytest.raises(Forbidden):
            upload_acl(MIA, groups, settings)
    assert upload_acl(ROOT, ["board", "public"], settings) == ["board", "public"]
    with pytest.raises(UploadRefused, match="groups"):
        upload_acl(ROOT, ["a,b"], settings)


TITLES = ["", 'say "x"', "line\nbreak", "\x7f\x00", "''' \\u0041 \\", "ü😀", "] = ["]


@pytest.mark.parametrize("title", TITLES)
def test_a_title_cannot_break_out_of_the_sidecar(platform: Platform, title: str) -> None:
    upload = check_upload("a.md", b"x", platform.settings)
    attributes = {title or "key": title, "n": 1.5, "yes": True}
    store_upload(platform, MIA, upload, acl=["staff"], title=title, attributes=attributes)
    (sidecar,) = (platform.state_path.parent / "uploads").rglob("*.meta.toml")
    values = tomllib.loads(sidecar.read_text(encoding="utf-8"))
    assert values["acl"] == ["staff"]
    assert values.get("title", "") == title
    assert values["attributes"] == attributes
    assert set(values) <= {"acl", "title", "attributes"}


def test_metadata_that_no_sidecar_takes_is_refused_before_anything_is_written(
    platform: Platform,
) -> None:
    upload = check_upload("a.md", b"x", platform.settings)
    for attributes in ({"a": [1]}, {"a": float("nan")}, {"a": None}):
        with pytest.raises(UploadRefused):
            store_upload(platform, MIA, upload, acl=["staff"], attributes=attributes)
    with pytest.raises(UploadRefused, match="too long"):
        store_upload(platform, MIA, upload, acl=["staff"], title="x" * 70_000)
    assert seen(platform) == {}


def test_without_a_source_for_uploads_there_are_none() -> None:
    with pytest.raises(ConfigurationError, match="no source for uploads"):
        upload_acl(MIA, None, Settings())
