"""What an upload must be: its name, its type, what it unpacks to."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rag_app.access.errors import TooLarge, UnsupportedFile, UploadRefused
from rag_app.access.upload_names import safe_name
from rag_app.access.upload_types import checked_format
from rag_app.access.uploads import check_upload
from rag_assets.platform.settings import ParsingSettings, ServerSettings, Settings

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


@pytest.mark.parametrize(
    ("name", "content"),
    GOOD_FILES,
    ids=[f"{number}-{name}" for number, (name, _) in enumerate(GOOD_FILES)],
)
def test_a_file_that_is_what_it_says_is_taken(name: str, content: bytes) -> None:
    assert checked_format(name, content)


@pytest.mark.parametrize(
    ("name", "content"),
    BAD_FILES,
    ids=[f"{number}-{name}" for number, (name, _) in enumerate(BAD_FILES)],
)
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
