"""Real files: every one is accounted for, and people's expectations of some are met."""

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rag_assets.parsed_documents.outcome import ErrorKind, Extracted, Failure, Outcome
from rag_assets.parsed_documents.workers import Job, Limits, run_jobs
from rag_assets.raw_documents.media_types import media_type_of

ROOT = Path(__file__).parents[2] / "../shared/data/parse"
MARKITDOWN = ROOT / "markitdown/packages/markitdown/tests/test_files"
pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason="needs ../shared/data")

# What kreuzberg 4.10 does not give, each with why it is left.
NOT_GIVEN = {
    # images are not carried into the text of a Word file or of slides
    ("test.docx", "data:image/png;base64..."),
    ("test.docx", "data:image/png;base64,iVBORw0KGgoAAAANSU"),
    ("test.pptx", "![This phrase of the caption is Human-written.](Picture4.jpg)"),
    ("test.pptx", "data:image/jpeg;base64,/9j/4AAQSkZJRgABAQE"),
    # charts are not read
    ("test.pptx", "a3f6004b-6f4f-4ea8-bee3-3741f4dc385f"),
    ("test.pptx", "2003"),
    # a space is put between the runs of a title: "AutoGen : Enabling …"
    ("test.pptx", "AutoGen: Enabling Next-Gen LLM Applications via Multi-Agent Conversation"),
    # markitdown's own layout of a mail; the same fields are there as "**From**: …"
    ("test_outlook_msg.msg", "# Email Message"),
    ("test_outlook_msg.msg", "**From:** test.sender@example.com"),
    ("test_outlook_msg.msg", "**To:** test.recipient@example.com"),
    ("test_outlook_msg.msg", "**Subject:** Test Email Message"),
    ("test_outlook_msg.msg", "## Content"),
    # markitdown puts an e-book's metadata into its text, and writes bullets as "*"
    ("test.epub", "**Authors:** Test Author"),
    ("test.epub", "A test EPUB document for MarkItDown testing"),
    ("test.epub", "* A bullet point"),
    ("test.epub", "* Another point"),
}


@cache
def outcomes() -> dict[Path, Outcome]:
    import hashlib

    files = sorted(path for path in ROOT.rglob("*") if path.is_file())
    by_hash = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in files}
    jobs = [
        Job(sha256, media_type_of(path.name), path.name, path.stat().st_size)
        for path in files
        for sha256 in [hashlib.sha256(path.read_bytes()).hexdigest()]
    ]
    results = run_jobs(jobs, by_hash.__getitem__, Limits())
    return {files[index]: outcome for index, outcome in results}


def test_every_file_is_accounted_for() -> None:
    found = outcomes()
    assert len(found) == sum(path.is_file() for path in ROOT.rglob("*"))
    failures = {path: o for path, o in found.items() if isinstance(o, Failure)}
    assert {o.kind for o in failures.values()} <= set(ErrorKind)
    counts = Counter(o.kind for o in failures.values())
    bad = {
        ErrorKind.CRASHED,
        ErrorKind.TIMEOUT,
        ErrorKind.OUT_OF_MEMORY,
        ErrorKind.MALFORMED,
        ErrorKind.UNREADABLE,
    }
    assert not bad & set(counts), {path: o for path, o in failures.items() if o.kind in bad}
    assert counts[ErrorKind.PASSWORD_PROTECTED] == 2
    assert len(failures) < 0.04 * len(found)


def test_texts_keep_their_promises() -> None:
    for path, outcome in outcomes().items():
        if isinstance(outcome, Extracted):
            text = outcome.text
            text.encode("utf-8")
            assert "\r" not in text, path
            assert "\x00" not in text, path
            assert outcome.page_starts == sorted(outcome.page_starts), path
            assert all(0 <= start <= len(text) for start in outcome.page_starts), path
            assert outcome.parser, path


def expectations() -> list[Any]:
    file = ROOT / "markitdown/expected_strings.json"
    if not file.exists():
        return []
    return [
        entry for entry in json.loads(file.read_text()) if (MARKITDOWN / entry["filename"]).exists()
    ]


@pytest.mark.parametrize("entry", expectations(), ids=lambda entry: entry["filename"])
def test_expected_strings(entry: dict[str, Any]) -> None:
    name = entry["filename"]
    (outcome,) = [o for path, o in outcomes().items() if path == MARKITDOWN / name]
    assert isinstance(outcome, Extracted)
    missing = {text for text in entry["must_include"] if text not in outcome.text}
    assert missing == {text for text in entry["must_include"] if (name, text) in NOT_GIVEN}
    assert not [text for text in entry["must_not_include"] if text in outcome.text]


def test_pages_of_real_pdfs_hold_their_own_words() -> None:
    import kreuzberg

    config = kreuzberg.ExtractionConfig(
        use_cache=False, pages=kreuzberg.PageConfig(extract_pages=True)
    )
    checked = 0
    for path, outcome in outcomes().items():
        if path.suffix != ".pdf" or isinstance(outcome, Failure) or len(outcome.page_starts) < 2:
            continue
        pages = kreuzberg.extract_file_sync(path, config=config).pages or []
        ends = [*outcome.page_starts[1:], len(outcome.text)]
        for page, start, end in zip(pages, outcome.page_starts, ends, strict=True):
            assert _letters(outcome.text[start:end]) == _letters(page["content"]), path
            checked += 1
    assert checked > 40


def _letters(text: str) -> str:
    return "".join(character for character in text if character.isalnum())
