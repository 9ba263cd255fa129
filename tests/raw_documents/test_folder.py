"""The folder source on awkward folders."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rag_assets.platform.errors import ConfigurationError, SourceUnavailable
from rag_assets.platform.settings import SourceSettings
from rag_assets.raw_documents.base import UNSETTLED, Fetched, Listed, Source
from rag_assets.raw_documents.sources import make_source

LIMIT = 1_000_000


def source_of(root: Path, **settings: Any) -> Source:
    return make_source("s", SourceSettings(path=str(root), **settings), {})


def listing(root: Path, **settings: Any) -> dict[str, Listed]:
    return {
        item.document_id.removeprefix("s/"): item for item in source_of(root, **settings).list()
    }


def fetch(root: Path, name: str, **settings: Any) -> Fetched:
    return source_of(root, **settings).fetch(listing(root, **settings)[name], LIMIT)


def write(path: Path, text: str = "text") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may read everything: become somebody else for a moment."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_tmp_path(tmp_path: Path) -> Path:
    """A folder that an unprivileged user can reach."""
    for folder in (tmp_path, *tmp_path.parents):
        status = folder.stat()
        if status.st_uid == os.geteuid() and not status.st_mode & 0o001:
            folder.chmod(status.st_mode | 0o055)
    return tmp_path


def test_hidden_and_temporary_files_are_no_documents(tmp_path: Path) -> None:
    for name in (".hidden.md", ".git/config", "~$report.docx", "a.md.swp", "a.md.1234.writing"):
        write(tmp_path / name)
    write(tmp_path / "sub" / "ä b.md")
    assert list(listing(tmp_path)) == ["sub/ä b.md"]
    assert listing(tmp_path)["sub/ä b.md"].uri == (tmp_path / "sub" / "ä b.md").as_uri()


def test_include_and_exclude_are_gitignore_patterns(tmp_path: Path) -> None:
    names = ["a.md", "a.txt", "docs/b.md", "docs/deep/c.md", "drafts/d.md", "drafts/keep.md"]
    for name in names:
        write(tmp_path / name)
    assert set(listing(tmp_path)) == set(names)
    assert set(listing(tmp_path, include=["*.md"])) == set(names) - {"a.txt"}
    assert set(listing(tmp_path, include=["docs/**/*.md"])) == {"docs/b.md", "docs/deep/c.md"}
    assert set(listing(tmp_path, include=["/*.md"])) == {"a.md"}
    assert set(listing(tmp_path, exclude=["drafts/"])) == set(names[:4])
    kept = listing(tmp_path, exclude=["drafts/*", "!drafts/keep.md"])
    assert set(kept) == {*names[:4], "drafts/keep.md"}
    assert listing(tmp_path, include=[]) == {}
    with pytest.raises(ConfigurationError, match="pattern"):
        source_of(tmp_path, include=["!"])


def test_a_root_that_is_no_folder_is_an_error(tmp_path: Path) -> None:
    file = write(tmp_path / "file.md")
    with pytest.raises(SourceUnavailable, match="is not a folder"):
        list(source_of(file).list())
    with pytest.raises(SourceUnavailable, match="does not exist"):
        list(source_of(file / "below").list())


def test_an_empty_folder_is_an_empty_source(tmp_path: Path) -> None:
    assert listing(tmp_path) == {}


def test_an_unreadable_root_is_an_error(open_tmp_path: Path) -> None:
    root = open_tmp_path / "root"
    write(root / "a.md")
    root.chmod(0o000)
    try:
        with unprivileged(), pytest.raises(SourceUnavailable, match="cannot be read"):
            list(source_of(root).list())
    finally:
        root.chmod(0o755)


def test_an_unreadable_file_is_listed_and_tried_again(open_tmp_path: Path) -> None:
    write(open_tmp_path / "a.md")
    write(open_tmp_path / "secret.md").chmod(0o000)
    with unprivileged():
        assert set(listing(open_tmp_path)) == {"a.md", "secret.md"}
        fetched = fetch(open_tmp_path, "secret.md", acl=["public"])
    assert (fetched.problem_kind, fetched.acl, fetched.content) == ("unreadable", [], b"")
    assert fetched.signature.startswith(UNSETTLED)


def test_an_unreadable_subfolder_stands_for_its_documents(open_tmp_path: Path) -> None:
    write(open_tmp_path / "a.md")
    write(open_tmp_path / "locked" / "b.md")
    (open_tmp_path / "locked").chmod(0o000)
    try:
        with unprivileged():
            listed = listing(open_tmp_path)
            others = list(source_of(open_tmp_path).list(lambda id_: False))
    finally:
        (open_tmp_path / "locked").chmod(0o755)
    assert (listed["locked"].problem_kind, listed["locked"].covers) == ("unreadable", True)
    assert [item.document_id for item in others] == ["s/locked"], "every shard is told"


def test_links_inside_the_root_are_followed_and_loops_end(tmp_path: Path) -> None:
    write(tmp_path / "docs" / "a.md", "a")
    write(tmp_path / ".store" / "v2" / "b.md", "b")
    (tmp_path / "link.md").symlink_to("docs/a.md")
    (tmp_path / "current").symlink_to(".store/v2")
    (tmp_path / "docs" / "loop").symlink_to("..")
    (tmp_path / "docs" / "self").symlink_to("self")
    (tmp_path / "one").symlink_to("docs")
    (tmp_path / "docs" / "two").symlink_to("../one")
    listed = listing(tmp_path)
    assert {"docs/a.md", "link.md", "current/b.md", "one/a.md"} <= set(listed)
    assert listed["docs/self"].problem_kind == "unreadable"
    assert fetch(tmp_path, "link.md").content == b"a"
    assert fetch(tmp_path, "current/b.md").content == b"b"


def test_many_links_do_not_explode(tmp_path: Path) -> None:
    for one in range(12):
        write(tmp_path / f"d{one}" / "a.md")
        for other in range(12):
            (tmp_path / f"d{one}" / f"to{other}").symlink_to(f"../d{other}")
    assert len(listing(tmp_path)) <= 12 + 12 * 12


def test_links_that_lead_outside_are_never_read(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside" / "secret.md", "secret").parent
    root = tmp_path / "root"
    write(root / "a.md")
    (root / "file.md").symlink_to(outside / "secret.md")
    (root / "folder").symlink_to(outside)
    (root / "prefix").symlink_to(tmp_path / "rootish")
    write(tmp_path / "rootish" / "x.md")
    (root / "dangling.md").symlink_to("nothing.md")
    listed = listing(root)
    assert set(listed) == {"a.md", "file.md", "folder", "prefix", "dangling.md"}
    for name in ("file.md", "folder", "prefix"):
        assert listed[name].problem_kind == "path_escapes_root"
        assert fetch(root, name).content == b""
    assert listed["dangling.md"].problem_kind == "unreadable"


def test_a_file_swapped_for_an_outside_link_after_listing_is_not_read(tmp_path: Path) -> None:
    secret = write(tmp_path / "secret.md", "secret")
    root = tmp_path / "root"
    victim = write(root / "a.md")
    source = source_of(root)
    (listed,) = source.list()
    victim.unlink()
    victim.symlink_to(secret)
    fetched = source.fetch(listed, LIMIT)
    assert (fetched.problem_kind, fetched.content) == ("path_escapes_root", b"")


def test_special_files_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(tmp_path)  # the path of a socket is limited to about 100 bytes
        server.bind("socket.md")
        os.chdir(here)
        listed = listing(tmp_path)
        assert {item.problem_kind for item in listed.values()} == {"not_a_file"}
        assert set(listed) == {"pipe.md", "socket.md"}
    victim = write(tmp_path / "a.md")
    source = source_of(tmp_path)
    item = next(item for item in source.list() if item.document_id == "s/a.md")
    victim.unlink()
    os.mkfifo(victim)
    assert source.fetch(item, LIMIT).problem_kind == "not_a_file"


def test_bad_names_get_a_printable_id_of_their_own(tmp_path: Path) -> None:
    root = os.fsencode(tmp_path)
    for name in (b"caf\xe9.md", b"caf\xe8.md", b"line\nbreak.md", b"esc\x1b.md"):
        Path(os.fsdecode(root + b"/" + name)).write_text("x")
    Path(os.fsdecode(root + b"/dir\xff")).mkdir()
    Path(os.fsdecode(root + b"/dir\xff/inner.md")).write_text("x")
    write(tmp_path / "emoji 👩\u200d💻.md")
    listed = listing(tmp_path)
    assert len(listed) == 6
    bad = {name: item for name, item in listed.items() if item.problem_kind == "bad_name"}
    assert len(bad) == 5
    assert set(listed) - set(bad) == {"emoji 👩\u200d💻.md"}
    for item in bad.values():
        assert (item.document_id + item.uri).encode().decode().isprintable()
        assert source_of(tmp_path).fetch(item, LIMIT).content == b""


def test_ids_keep_the_spelling_of_the_file_system(tmp_path: Path) -> None:
    write(tmp_path / "e\u0301.md")
    write(tmp_path / "\u00e9.md")
    assert set(listing(tmp_path)) == {"e\u0301.md", "\u00e9.md"}


def test_a_file_removed_or_changed_while_being_read_is_told(tmp_path: Path) -> None:
    file = write(tmp_path / "a.md")
    source = source_of(tmp_path)
    (listed,) = source.list()
    file.unlink()
    fetched = source.fetch(listed, LIMIT)
    assert fetched.problem_kind == "changed_while_reading"
    assert fetched.signature.startswith(UNSETTLED)


@pytest.mark.parametrize("change", ["append", "truncate", "rewrite", "replace"])
def test_a_write_in_the_middle_of_a_read_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    file = write(tmp_path / "a.md", "before")
    os.utime(file, (1_000_000_000, 1_000_000_000))
    source = source_of(tmp_path)
    (listed,) = source.list()
    genuine = os.fstat
    calls: list[int] = []

    def fstat(descriptor: int) -> os.stat_result:
        status = genuine(descriptor)
        calls.append(descriptor)
        if len(calls) == 1:  # the size is known, the bytes are not read yet
            if change == "replace":
                write(tmp_path / "new", "AFTER!").replace(file)
            else:
                with open(
                    file, {"append": "a", "truncate": "w", "rewrite": "r+"}[change]
                ) as handle:
                    handle.write("" if change == "truncate" else "AFTER!")
        return status

    monkeypatch.setattr(os, "fstat", fstat)
    fetched = source.fetch(listed, LIMIT)
    assert (fetched.problem_kind, fetched.content) == ("changed_while_reading", b"")
    assert fetched.signature.startswith(UNSETTLED)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "huge.pdf", "wb") as file:
        file.truncate(1 << 30)
    assert fetch(tmp_path, "huge.pdf").problem_kind == "too_large"
    # one that grew between listing and reading
    small = write(tmp_path / "grows.md")
    source = source_of(tmp_path)
    listed = next(item for item in source.list() if item.document_id == "s/grows.md")
    with open(small, "wb") as file:
        file.truncate(1 << 30)
    assert source.fetch(listed, LIMIT).problem_kind == "too_large"


def test_a_fresh_file_is_unsettled_and_an_old_one_is_not(tmp_path: Path) -> None:
    fresh = write(tmp_path / "a.md")
    assert fetch(tmp_path, "a.md").signature.startswith(UNSETTLED)
    # the change time cannot be set back; a stat result with old times stands for an old file
    from rag_assets.raw_documents.local_status import is_settled

    status = fresh.stat()
    read_at = max(status.st_mtime_ns, status.st_ctime_ns)
    assert not is_settled(status, read_at)
    assert is_settled(status, read_at + 3_000_000_000)


def test_new_defaults_change_every_signature(tmp_path: Path) -> None:
    write(tmp_path / "a.md")
    before = listing(tmp_path, acl=["public"])["a.md"].signature
    assert listing(tmp_path, acl=["public"])["a.md"].signature == before
    assert listing(tmp_path, acl=["hr"])["a.md"].signature != before
    assert listing(tmp_path, acl=["public"], attributes={"x": 1})["a.md"].signature != before


def test_media_types(tmp_path: Path) -> None:
    names = {
        "a.MD": "text/markdown",
        "b.docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "c.eml": "message/rfc822",
        "d.tar.gz": "application/gzip",
        "README": "application/octet-stream",
        "f.unknown-kind": "application/octet-stream",
    }
    for name in names:
        write(tmp_path / name)
    assert {name: item.media_type for name, item in listing(tmp_path).items()} == names
