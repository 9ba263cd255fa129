"""One file to text: formats, titles, encodings and bad input."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_assets.parsed_documents.extract import _heading_of, extract, first_heading
from rag_assets.parsed_documents.formats import RECORD_MEDIA_TYPE
from rag_assets.parsed_documents.outcome import ErrorKind, Extracted, Failure

from .files import WORD, docx, pdf, zipped

UNKNOWN = "application/octet-stream"
PDF = "application/pdf"
DATA = Path(__file__).parents[2] / "../shared/data/parse"


def read(content: bytes, media_type: str, name: str) -> Extracted:
    outcome = extract(content, media_type, name)
    assert isinstance(outcome, Extracted), outcome
    return outcome


def fail(content: bytes, media_type: str, name: str) -> str:
    outcome = extract(content, media_type, name)
    assert isinstance(outcome, Failure), outcome
    assert outcome.message
    return outcome.kind


def test_markdown_is_not_touched() -> None:
    body = "# Title *one*\r\n\r\n* a\n- b\n\n| x | y |\n|--|--|\n\n```\n# no\n```\n<b>&amp;</b>  \n"
    outcome = read(body.encode(), "text/markdown", "a.md")
    assert outcome.text == body.replace("\r\n", "\n")
    assert outcome.title == "Title one"
    assert outcome.page_starts == []


def test_front_matter_is_removed() -> None:
    outcome = read(b"---\ntitle: T\nacl: [hr]\n---\n# Heading\ntext\n", "text/markdown", "a.md")
    assert outcome.text.strip() == "# Heading\ntext"


def test_the_first_heading_outside_of_code_is_the_title() -> None:
    assert first_heading("```\n# code\n```\n\n## [Real](x.md) `one` ##\n") == "Real one"
    assert first_heading("no heading") is None


def test_records() -> None:
    record = json.dumps({"title": "T", "text": "one\r\ntwo"}).encode()
    outcome = read(record, RECORD_MEDIA_TYPE, "17")
    assert (outcome.title, outcome.text) == ("T", "one\ntwo")
    for bad in (b"{}", b"[]", b"nope", b'{"title": 3, "text": "x"}', b'{"text": null}'):
        assert fail(bad, RECORD_MEDIA_TYPE, "17") == ErrorKind.BAD_RECORD


def test_source_code_is_fenced_and_exact() -> None:
    code = "# comment\ndef f():\n\treturn '```'\n"
    assert read(code.encode(), "text/x-python", "a.py").text == f"````python\n{code}````\n"
    assert read(b'{"a": 1.50}', "application/json", "a.json").text == '```json\n{"a": 1.50}\n```\n'


def test_pages_of_a_pdf_are_where_the_map_says() -> None:
    content = pdf([[f"Alpha {n}", f"omega {n}"] for n in range(1, 6)], title="Five pages")
    outcome = read(content, PDF, "a.pdf")
    assert outcome.title == "Five pages"
    ends = [*outcome.page_starts[1:], len(outcome.text)]
    for number, (start, end) in enumerate(zip(outcome.page_starts, ends, strict=True), start=1):
        page = outcome.text[start:end]
        assert f"Alpha {number}" in page
        assert f"omega {number}" in page
        assert page.count("Alpha") == 1


def test_html_gives_its_title_and_no_header() -> None:
    html = (
        "<html><head><title>A &amp; B</title><meta charset=iso-8859-1>"
        "<meta name=description content=secret></head><body><h1>Café</h1><p>x &lt; y</body></html>"
    )
    outcome = read(html.encode("latin-1"), "text/html", "a.html")
    assert outcome.title == "A & B"
    assert outcome.text.strip() == "# Café\n\nx < y"


def test_html_without_a_head_element() -> None:
    html = b"<html><title>T</title><meta name=description content=x><body><p>text</p></body></html>"
    outcome = read(html, "text/html", "a.html")
    assert (outcome.title, outcome.text.strip()) == ("T", "text")
    ruled = b"<html><body><hr><h2>Note: this</h2><p>text</p></body></html>"
    assert "## Note: this" in read(ruled, "text/html", "a.html").text


def test_csv_in_any_encoding_is_a_table() -> None:
    for encoding in ("utf-8", "utf-16", "cp932"):
        rows = "名前,年齢,住所\n佐藤太郎,30,東京\n三木英子,25,大阪\n髙橋淳,35,名古屋\n"
        text = read(rows.encode(encoding), "text/csv", "a.csv").text
        assert "| 佐藤太郎 | 30 | 東京 |" in text


def test_the_content_corrects_a_wrong_name() -> None:
    assert "Alpha" in read(pdf([["Alpha"]]), UNKNOWN, "no-extension").text
    assert "Beta" in read(docx(["Beta"]), "application/msword", "a.doc").text


def test_office_365_names_the_main_part_differently() -> None:
    assert "Gamma" in read(docx(["Gamma"], main="document2"), WORD, "a.docx").text


def test_archives_give_their_files() -> None:
    inner = {"a.md": b"# A\n\nalpha", "b/c.csv": b"x,y\n1,2\n", "d.bin": bytes(range(256))}
    text = read(zipped(inner), "application/zip", "a.zip").text
    assert "# a.md" in text
    assert "alpha" in text
    assert "| 1 | 2 |" in text
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("t.txt")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"tango"))
    assert "tango" in read(buffer.getvalue(), "application/gzip", "a.tar.gz").text
    assert read(gzip.compress(b"plain"), "application/gzip", "a.txt.gz").text == "plain"


def test_a_feed_has_headings() -> None:
    feed = (
        "<?xml version='1.0'?><rss version='2.0'><channel><title>News</title><item>"
        "<title>First</title><description>&lt;p&gt;Hello &lt;b&gt;you&lt;/b&gt;&lt;/p&gt;"
        "</description></item></channel></rss>"
    )
    outcome = read(feed.encode(), "application/xml", "feed.xml")
    assert outcome.text == "# News\n\n## First\n\nHello **you**\n"


@pytest.mark.parametrize("content", [b"", b" \n\t\r\n ", b"\xef\xbb\xbf \n"])
@pytest.mark.parametrize(
    "name", ["a.md", "a.txt", "a.html", "a.json", "a.pdf", "a.docx", "a", "a.csv"]
)
def test_nothing_but_white_space_is_empty(content: bytes, name: str) -> None:
    if content.startswith(b"\xef") and name in ("a.pdf", "a.docx"):
        assert fail(content, UNKNOWN, name) == ErrorKind.MALFORMED
    else:
        assert not read(content, UNKNOWN, name).text.strip()


def test_broken_and_unknown_files_have_a_typed_reason() -> None:
    whole = pdf([["Alpha"]])
    assert fail(whole[: len(whole) // 3], PDF, "a.pdf") == ErrorKind.MALFORMED
    assert fail(docx(["x"])[:200], WORD, "a.docx") == ErrorKind.MALFORMED
    assert fail(bytes(range(256)) * 9, UNKNOWN, "a.bin") == ErrorKind.UNSUPPORTED
    assert fail(b"RIFF\x00\x00", "audio/wav", "a.wav") == ErrorKind.UNSUPPORTED
    assert fail(bytes(range(256)) * 9, "text/x-python", "a.py") == ErrorKind.UNSUPPORTED


def test_images_need_ocr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TESSDATA_PREFIX", raising=False)
    assert fail(b"\x89PNG\r\n\x1a\n", "image/png", "a.png") == ErrorKind.NEEDS_OCR


def test_bombs_are_refused_before_they_are_unpacked() -> None:
    zeros = bytes(64 << 20)
    assert fail(zipped({"zeros.txt": zeros}), "application/zip", "a.zip") == ErrorKind.ARCHIVE_BOMB
    assert fail(docx(["x"], extra=zeros), WORD, "a.docx") == ErrorKind.ARCHIVE_BOMB
    assert fail(gzip.compress(zeros), "application/gzip", "a.gz") == ErrorKind.ARCHIVE_BOMB


def test_a_text_that_is_too_long() -> None:
    outcome = extract(b"word " * 1000, "text/plain", "a.txt", max_text_bytes=4999)
    assert isinstance(outcome, Failure)
    assert outcome.kind == ErrorKind.TEXT_TOO_LONG
    assert isinstance(extract(b"word " * 1000, "text/plain", "a", max_text_bytes=5000), Extracted)


@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize("name", ["pdf/password.pdf", "password_protected.xlsx"])
def test_passwords(name: str) -> None:
    path = DATA / "unstructured/example-docs" / name
    assert fail(path.read_bytes(), UNKNOWN, path.name) == ErrorKind.PASSWORD_PROTECTED


NAMES = [
    "a",
    "a.md",
    "a.html",
    "a.csv",
    "a.xml",
    "a.pdf",
    "a.docx",
    "a.zip",
    "a.gz",
    "a.eml",
    "a.rtf",
]


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=120),
    st.sampled_from([b"", b"%PDF-1.7\n", b"PK\x03\x04", b"\x1f\x8b\x08", b"{\\rtf1 ", b"<html>"]),
    st.sampled_from(NAMES),
)
def test_no_bytes_make_it_raise(content: bytes, start: bytes, name: str) -> None:
    outcome = extract(start + content, UNKNOWN, name)
    if isinstance(outcome, Extracted):
        outcome.text.encode("utf-8")
    else:
        assert outcome.kind in set(ErrorKind)
        assert outcome.kind != ErrorKind.CRASHED, outcome.message


def test_a_heading_deep_inside_a_pdf_is_not_its_title() -> None:
    assert _heading_of("Plan of the company\n\n# Premiums\n\nThey are due.", "pdf") is None
    assert _heading_of("\n# Plan\n\nText", "pdf") == "Plan"
    assert _heading_of("An introduction.\n\n# Plan\n\nText", "docx") == "Plan"
