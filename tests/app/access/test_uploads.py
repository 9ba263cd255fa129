"""Uploads: names, types, archives; and that a document is never without its readers."""

import gzip
import io
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rag_app.access import uploads
from rag_app.access.errors import Forbidden, TooLarge, UnsupportedFile, UploadRefused
from rag_app.access.principal import Principal
from rag_app.access.upload_names import safe_name
from rag_app.access.upload_types import checked_format
from rag_app.access.uploads import check_upload, store_upload, upload_acl
from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import ParsingSettings, ServerSettings, Settings, SourceSettings
from rag_assets.query.access import Caller
from rag_assets.raw_documents.sources import open_partition

MIA = Principal("key:mia", Caller.of(["staff"], authenticated=True), frozenset({"upload"}), "key")
TOM = Principal("key:tom", Caller.of(["legal"], authenticated=True), frozenset({"upload"}), "key")
ROOT = Principal("key:root", Caller(admin=True, authenticated=True), frozenset({"admin"}), "key")
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600


def zipped(*names: str, content: bytes = b"x") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content)
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("a.txt")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"x"))
    return file.getvalue()


EPUB = io.BytesIO()
with zipfile.ZipFile(EPUB, "w") as _archive:
    _archive.writestr("mimetype", "application/epub+zip")

GOOD_NAMES = [
    "a.md",
    "Über uns (2).pdf",
    "报告.docx",
    "a b.txt",
    "x" * 190 + ".txt",
    "a..b.md",
    "-r.md",
]
BAD_NAMES = [
    "", ".", "..", "../a.md", "a/b.md", "/etc/passwd", "a\\b.md", "C:a.md", "a\x00.md", "a\nb.md",
    "a\u202egnp.md", "a\u200bb.md", ".hidden.md", "~$doc.docx", "a.md.writing", "a.md.meta.toml",
    "A.META.TOML", "a.md ", " a.md", "a.md.", "con", "CON.txt", "lpt1.md", "com¹.md", "nul",
    "a*.md", "a?.md", 'a".md', "a|b.md", "a<b.md", "x" * 201, "é" * 101, "a\ud800.md", "a\u2028b.md",
]  # fmt: skip


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_a_plain_name_is_taken(name: str) -> None:
    assert safe_name(name) == name


@pytest.mark.parametrize("name", BAD_NAMES)
def test_any_other_name_is_refused(name: str) -> None:
    with pytest.raises(UploadRefused, match="file name") as caught:
        safe_name(name)
    assert caught.value.status == 422


def test_a_name_is_brought_into_normal_form() -> None:
    assert safe_name("u\u0308ber.md") == "über.md"
    assert safe_name("9.41\u202fAM\u00a0x.png") == "9.41 AM x.png"


@given(st.text(max_size=260))
@example("\u2025/a")
@example("﹒﹒/x.md")
def test_no_name_leads_out_of_its_folder(text: str) -> None:
    try:
        name = safe_name(text)
    except UploadRefused:
        return
    assert Path(name).name == name
    assert name not in (".", "..")
    assert (Path("/folder") / name).resolve().parent == Path("/folder")
    assert safe_name(name) == name
    assert name.isprintable()


GOOD_FILES = [
    ("a.md", b"# Title\n\ntext"),
    ("a.txt", "übergrößen".encode("latin-1")),
    ("a.txt", "text".encode("utf-16")),
    ("a.html", b"<html><body>x</body></html>"),
    ("a.json", b'{"a": 1}'),
    ("a.py", b"print(1)"),
    ("a.csv", b"a,b\n1,2\n"),
    ("a.eml", b"From: a@b.org\nTo: c@d.org\nSubject: x\n\nhi"),
    ("a.pdf", b"%PDF-1.4\n..."),
    ("A.PDF", b"\n\n%PDF-1.4\n..."),
    ("a.docx", zipped("[Content_Types].xml", "word/document.xml")),
    ("a.docm", zipped("[Content_Types].xml", "word/document.xml")),
    ("a.xlsx", zipped("[Content_Types].xml", "xl/workbook.xml")),
    ("a.xlsm", zipped("[Content_Types].xml", "xl/workbook.xml")),
    ("a.pptx", zipped("[Content_Types].xml", "ppt/presentation.xml")),
    ("a.epub", EPUB.getvalue()),
    ("a.zip", zipped("a.txt")),
    ("a.doc", OLE),
    ("a.doc", b"{\\rtf1 x}"),
    ("a.rtf", b"{\\rtf1 x}"),
    ("a.gz", gzip.compress(b"text")),
    ("a.tgz", gzip.compress(tarred())),
    ("a.tar", tarred()),
    ("a.png", b"\x89PNG\r\n\x1a\n" + b"\x00" * 30),
]
BAD_FILES = [
    ("a.md", b"\x7fELF" + b"\x00" * 60),
    ("a.txt", b"MZ" + b"\x00" * 60),
    ("a.md", b"%PDF-1.4\n..."),
    ("a.html", zipped("a.txt")),
    ("a.txt", OLE),
    ("a.pdf", b"<html>not a pdf</html>"),
    ("a.pdf", b"MZ" + b"\x00" * 60),
    ("a.docx", zipped("xl/workbook.xml")),
    ("a.docx", zipped("a.txt")),
    ("a.docx", b"text"),
    ("a.docx", OLE),
    ("a.xlsx", b"PK\x03\x04" + b"\x00" * 60),
    ("a.epub", zipped("a.txt")),
    ("a.zip", b"text"),
    ("a.doc", b"text"),
    ("a.rtf", b"text"),
    ("a.gz", b"text"),
    ("a.tar", b"text" * 200),
    ("a.png", b"GARBAGE" * 10),
    ("a.exe", b"MZ" + b"\x00" * 60),
    ("a.mp4", b"\x00\x00\x00\x18ftypmp42"),
    ("a", b"text"),
    ("a.unknown", b"text"),
    ("a.md", b""),
    ("a.record", b"{}"),
]


@pytest.mark.parametrize(("name", "content"), GOOD_FILES)
def test_a_file_that_is_what_it_says_is_taken(name: str, content: bytes) -> None:
    assert checked_format(name, content)


@pytest.mark.parametrize(("name", "content"), BAD_FILES)
def test_a_file_that_is_not_is_refused(name: str, content: bytes) -> None:
    with pytest.raises(UnsupportedFile) as caught:
        checked_format(name, content)
    assert caught.value.status == 415


@given(st.binary(max_size=300), st.sampled_from([name for name, _ in GOOD_FILES]))
def test_no_content_breaks_the_check(content: bytes, name: str) -> None:
    try:
        checked_format(name, content)
    except UnsupportedFile:
        return


@pytest.mark.parametrize("kind", ["zip", "docx", "gz"])
def test_an_archive_that_unpacks_to_far_too_much_is_refused(kind: str) -> None:
    zeros = bytes(40 << 20)
    bombs = {
        "zip": zipped("a.txt", content=zeros),
        "docx": zipped("word/document.xml", content=zeros),
        "gz": gzip.compress(zeros),
    }
    with pytest.raises(UploadRefused, match="unpacks"):
        check_upload(f"a.{kind}", bombs[kind], Settings())


def test_the_smaller_of_both_limits_counts() -> None:
    big = b"x" * 1_500_000
    for settings in (
        Settings(server=ServerSettings(max_upload_mb=1)),
        Settings(parsing=ParsingSettings(max_file_mb=1)),
    ):
        with pytest.raises(TooLarge) as caught:
            check_upload("a.txt", big, settings)
        assert caught.value.status == 413
    assert check_upload("a.txt", big, Settings()).content == big


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
