"""The one place that calls kreuzberg: its configuration, its page marks, its errors."""

import os
import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .decoding import clean
from .formats import KREUZBERG
from .outcome import ErrorKind, ExtractionFailed
from .pdf_text import pages_to_markdown

if TYPE_CHECKING:
    from kreuzberg import ExtractionConfig

# private-use characters: they pass through every renderer and are in no real text
_SLIDE_MARK = "\ue0f0slide{page_num}\ue0f1"
_SLIDES = re.compile("\n*\ue0f0slide(\\d+)\ue0f1\n*")
# html-to-markdown writes the <meta> tags of a page as a broken front matter
_HTML_FIELD = r"(?:meta-[\w:.-]+|title|canonical|base-href|link-[\w-]+): [^\n]*\n"
_HTML_HEADER = re.compile(rf"\A---\n(?:{_HTML_FIELD})*\n+## {_HTML_FIELD}\n*")
# not where a line starts, there they may keep a text from being a list or a heading
_NEEDLESS_ESCAPE = re.compile(r"(?<=[^\s\\])\\([<>~!=#+{}(-])|\\([<!](?=\S))")

# the first that matches decides; from the messages of kreuzberg 4.10
_KINDS = (
    (re.compile(r"password|encrypted|decrypt", re.I), ErrorKind.PASSWORD_PROTECTED),
    (re.compile(r"tesseract|\bOCR\b", re.I), ErrorKind.NEEDS_OCR),
    (re.compile(r"security limit|zip bomb|compression ratio", re.I), ErrorKind.ARCHIVE_BOMB),
    (
        re.compile(r"unsupported|unknown extension|not supported|no extractor", re.I),
        ErrorKind.UNSUPPORTED,
    ),
    (re.compile(r"out of memory|memory allocation|bad_alloc", re.I), ErrorKind.OUT_OF_MEMORY),
)


@dataclass(frozen=True)
class Parsed:
    """What kreuzberg read: Markdown, title and page starts (see ``outcome.Extracted``)."""

    text: str
    title: str | None
    page_starts: list[int]


@cache
def parser_name() -> str:
    """Name and version of the parser, e.g. ``kreuzberg 4.10.4``."""
    return f"kreuzberg {version('kreuzberg')}"


def warm_up() -> None:
    """Load kreuzberg and make every configuration, so that a mistake in one shows at once."""
    for format_name in (*KREUZBERG, "image"):
        _config(format_name, ocr_language())


def ocr_language() -> str:
    """The Tesseract language to read images with, or "" when no language data is installed."""
    folder = os.environ.get("TESSDATA_PREFIX")
    if not folder:
        return ""
    languages = sorted(
        path.stem for path in Path(folder).glob("*.traineddata") if path.stem != "osd"
    )
    return "eng" if "eng" in languages else (languages[0] if languages else "")


def read(content: bytes, format_name: str) -> Parsed:
    """Read a file with kreuzberg.

    Args:
        content: its bytes; UTF-8 where the format is text.
        format_name: a key of ``formats.KREUZBERG``, or ``image``.

    Raises:
        ExtractionFailed: with the kind of the failure.
    """
    import kreuzberg

    media_type = KREUZBERG.get(format_name) or _image_type(content)
    config = _config(format_name, ocr_language())
    try:
        result = kreuzberg.extract_bytes_sync(content, media_type, config=config)
    except (kreuzberg.KreuzbergError, RuntimeError, ValueError, OSError) as error:
        raise failure_of(error) from error
    title = _title(result.metadata)
    if format_name == "pdf":
        text, starts = pages_to_markdown([page["content"] for page in result.pages or []])
        return Parsed(text, title, starts)
    text = clean(result.content)
    if format_name == "html":
        text = _HTML_HEADER.sub("", text)
    text = _unescape(text)
    if format_name == "pptx":
        text, starts = _split_slides(text)
        return Parsed(text, title, starts)
    return Parsed(text, title, [])


def failure_of(error: BaseException) -> ExtractionFailed:
    """The typed failure for an exception of kreuzberg."""
    import kreuzberg

    message = " ".join(str(getattr(error, "message", "") or error).split())[:500]
    kind = next((kind for pattern, kind in _KINDS if pattern.search(message)), ErrorKind.MALFORMED)
    if isinstance(error, (kreuzberg.ValidationError, kreuzberg.MissingDependencyError)):
        kind = ErrorKind.UNSUPPORTED
    return ExtractionFailed(kind, f"The file cannot be read: {message}.")


@cache
def _config(format_name: str, language: str) -> "ExtractionConfig":
    import kreuzberg

    options: dict[str, Any] = {}
    if language:
        options["ocr"] = kreuzberg.OcrConfig(backend="tesseract", language=language)
    if format_name == "pptx":
        options["pages"] = kreuzberg.PageConfig(insert_page_markers=True, marker_format=_SLIDE_MARK)
    if format_name == "pdf":
        options["pages"] = kreuzberg.PageConfig(extract_pages=True)
    return kreuzberg.ExtractionConfig(
        use_cache=False,
        output_format="plain" if format_name == "pdf" else "markdown",
        # the workers are the parallelism
        concurrency=kreuzberg.ConcurrencyConfig(max_threads=1),
        **options,
    )


def _image_type(content: bytes) -> str:
    import kreuzberg

    try:
        return str(kreuzberg.detect_mime_type_from_bytes(content))
    except (kreuzberg.KreuzbergError, RuntimeError, ValueError) as error:
        raise ExtractionFailed(
            ErrorKind.UNSUPPORTED, "The file is not an image of a known kind."
        ) from error


def _title(metadata: Any) -> str | None:
    title = metadata.get("title") or metadata.get("subject")
    return " ".join(clean(title).split()) or None if isinstance(title, str) else None


def _split_slides(text: str) -> tuple[str, list[int]]:
    """Take the marks of the slides out and note where the slides start."""
    parts = _SLIDES.split(text)
    slides = [(parts[0] + parts[2]) if len(parts) > 2 else parts[0], *parts[4::2]]
    out: list[str] = []
    starts: list[int] = []
    length = 0
    for slide in slides:
        starts.append(length)
        if body := slide.strip():
            out.append(body)
            length += len(body) + 2
    joined = "\n\n".join(out)
    return joined, [min(start, len(joined)) for start in starts] if len(parts) > 2 else []


def _unescape(text: str) -> str:
    """Take out backslashes that Markdown does not need: a quote should read as written."""
    if "\\" not in text:
        return text
    blocks = re.split(r"(^```.*?^```[^\n]*$)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(
        block if block.startswith("```") else _NEEDLESS_ESCAPE.sub(lambda m: m[1] or m[2], block)
        for block in blocks
    )
