"""The bytes of one file to Markdown text. Runs inside a worker process.

The result depends on the content, the format (see ``formats.claimed_format``) and the limits alone.
Text formats are decoded here, exactly; Markdown is never sent through a converter.
"""

import json
import re
from html import unescape
from pathlib import Path

from rag_assets.raw_documents.front_matter import body_offset

from . import formats, kreuzberg_parser
from .archives import members, refuse_bomb
from .decoding import clean, decode, is_text
from .feeds import read_feed
from .office_repair import repair
from .outcome import ErrorKind, Extracted, ExtractionFailed, Failure, Outcome

_TEXT_PARSER = "ragline text 1"
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*$", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_EMPHASIS = re.compile(r"(?<!\w)(?:\*{1,3}|_{1,3}|`)(\S(?:.*?\S)?)(?:\*{1,3}|_{1,3}|`)(?!\w)")
_NO_TITLE = re.compile(
    r"untitled( document)?|microsoft (word|powerpoint|excel) - .*|document\d*", re.IGNORECASE
)
_FENCE = re.compile(r"^ {0,3}(```|~~~)", re.MULTILINE)
_HTML_HEAD = re.compile(r"<head\b[^>]*>.*?</head\s*>", re.IGNORECASE | re.DOTALL)
_HTML_TITLE = re.compile(r"<title\b[^>]*>(.*?)</title\s*>", re.IGNORECASE | re.DOTALL)
_HTML_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_MAX_TITLE = 300
_ARCHIVES = ("zip", "tar", "gz")


def warm_up() -> None:
    """Load what the first file would otherwise wait for."""
    kreuzberg_parser.warm_up()


def extract(
    content: bytes | Path, media_type: str, file_name: str, *, max_text_bytes: int = 50 << 20
) -> Outcome:
    """Turn a file into Markdown.

    Args:
        content: its bytes, or where they are.
        media_type: what its source says it is.
        file_name: its name; the extension counts.
        max_text_bytes: a longer text (in UTF-8) is a failure.

    Returns:
        The text, or a typed failure; nothing is raised for anything that a file may contain.
    """
    claimed = formats.claimed_format(media_type, file_name)
    try:
        data = content if isinstance(content, bytes) else content.read_bytes()
        result = _extract(data, formats.real_format(claimed, data))
    except ExtractionFailed as failure:
        return Failure(failure.kind, failure.message, _parser_of(claimed))
    except MemoryError:
        text = "The file needs more memory than a worker may use (parsing.memory_mb)."
        return Failure(ErrorKind.OUT_OF_MEMORY, text, _parser_of(claimed))
    except OSError as error:
        return Failure(ErrorKind.UNREADABLE, f"The stored copy cannot be read: {error.strerror}.")
    except Exception as error:  # noqa: BLE001 a parser may raise anything; the document is to blame
        text = f"The parser failed: {repr(error)[:500]}."
        return Failure(ErrorKind.CRASHED, text, _parser_of(claimed))
    if len(result.text) * 4 > max_text_bytes and len(result.text.encode()) > max_text_bytes:
        text = (
            f"The file has {len(result.text):,} characters of text, more than parsing.max_text_mb."
        )
        return Failure(ErrorKind.TEXT_TOO_LONG, text, result.parser)
    return result


def _extract(content: bytes, name: str) -> Extracted:
    if not content.strip():
        return Extracted("", parser=_parser_of(name))
    if name == formats.RECORD:
        return _record(content)
    if name == formats.MARKDOWN:
        text = decode(content)
        return _text(text[body_offset(text) :])
    if name.startswith("code:"):
        return _code(content, name.removeprefix("code:"))
    if name == formats.TEXT or (name == formats.UNKNOWN and is_text(content)):
        return _text(decode(content))
    if name in (formats.UNKNOWN, "media", "odp"):
        raise ExtractionFailed(ErrorKind.UNSUPPORTED, "No parser reads this kind of file.")
    refuse_bomb(content)
    if name in _ARCHIVES:
        return _archive(content, name)
    return _document(content, name)


def _archive(content: bytes, name: str) -> Extracted:
    """The texts of the files in an archive, each under its name; archives in it are not opened."""
    parts: list[str] = []
    refused: list[str] = []
    for member, data in members(content, name):
        try:
            inner = formats.real_format(formats.claimed_format("", member), data)
            text = "" if inner in _ARCHIVES else _extract(data, inner).text.strip()
        except ExtractionFailed as failure:
            refused.append(failure.message)
            continue
        if text:
            parts.append(f"# {member}\n\n{text}" if member else text)
    if refused and not parts:
        problem = f"No file in the archive could be read; the first: {refused[0]}"
        raise ExtractionFailed(ErrorKind.UNSUPPORTED, problem)
    return Extracted("\n\n".join(parts), parser=_parser_of(name))


def _document(content: bytes, name: str) -> Extracted:
    if name == formats.IMAGE and not kreuzberg_parser.ocr_language():
        raise ExtractionFailed(
            ErrorKind.NEEDS_OCR,
            "An image needs OCR: install Tesseract's language data and set TESSDATA_PREFIX.",
        )
    title = None
    decoded = ""
    if name in formats.DECODED_FIRST:
        decoded = _decode_html(content) if name == formats.HTML else decode(content)
        if name == formats.HTML:
            decoded, title = _without_head(decoded)
        if name == "xml" and (feed := read_feed(decoded, _html_to_markdown)):
            return Extracted(feed.text, _short(feed.title), parser=kreuzberg_parser.parser_name())
        if not decoded.strip():
            return Extracted("", title, parser=_parser_of(name))
        content = decoded.encode()
    try:
        parsed = _read(content, name)
    except ExtractionFailed:
        if name not in formats.DECODED_FIRST or name == formats.HTML:
            raise
        return _text(decoded)  # not what its name says, but text all the same
    if not parsed.text.strip() and decoded.strip() and name != formats.HTML:
        return _text(decoded)
    return Extracted(
        parsed.text,
        _meant(_short(title or parsed.title)) or _heading_of(parsed.text, name),
        parsed.page_starts,
        kreuzberg_parser.parser_name(),
    )


def _read(content: bytes, name: str) -> kreuzberg_parser.Parsed:
    try:
        return kreuzberg_parser.read(content, name)
    except ExtractionFailed as failure:
        repaired = repair(content, name) if failure.kind == ErrorKind.MALFORMED else None
        if repaired is None:
            raise
    return kreuzberg_parser.read(repaired, name)


def _html_to_markdown(html: str) -> str:
    return kreuzberg_parser.read(html.encode(), formats.HTML).text


def _text(text: str) -> Extracted:
    return Extracted(text, first_heading(text), parser=_TEXT_PARSER)


def _code(content: bytes, language: str) -> Extracted:
    """Source code and data: exact, in a fence, so that a comment is not taken for a heading."""
    if not is_text(content):
        raise ExtractionFailed(
            ErrorKind.UNSUPPORTED, "The file is not text, although its name says so."
        )
    text = decode(content).rstrip("\n")
    if not text.strip():
        return Extracted("", parser=_TEXT_PARSER)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return Extracted(f"{fence}{language}\n{text}\n{fence}\n", parser=_TEXT_PARSER)


def _record(content: bytes) -> Extracted:
    try:
        record = json.loads(content)
        title, text = record.get("title") or None, record["text"]
    except (ValueError, KeyError, AttributeError, RecursionError) as error:
        problem = f"The record is not {{title, text}}: {repr(error)[:200]}."
        raise ExtractionFailed(ErrorKind.BAD_RECORD, problem) from error
    if not isinstance(text, str) or not isinstance(title, str | None):
        raise ExtractionFailed(ErrorKind.BAD_RECORD, "Title and text of a record must be strings.")
    text = clean(text)
    return Extracted(text, _short(title) or first_heading(text), parser=_TEXT_PARSER)


def _heading_of(text: str, name: str) -> str | None:
    """The heading that names the document.

    In a PDF headings are guessed from the size of the letters, and the first of them may stand on
    any page: only one that the text begins with is taken for a title.
    """
    if name == "pdf" and not text.lstrip().startswith("#"):
        return None
    return first_heading(text)


def first_heading(text: str) -> str | None:
    """The first Markdown heading (``# …``) that is not inside a fenced block, or ``None``."""
    for match in _HEADING.finditer(text):
        if len(_FENCE.findall(text, 0, match.start())) % 2 == 0:
            plain = _LINK.sub(r"\1", match[1])
            return _short(_EMPHASIS.sub(r"\1", plain))
    return None


def _decode_html(content: bytes) -> str:
    declared = _HTML_CHARSET.search(content[:4096])
    if declared and not content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        try:
            return clean(content.decode(declared[1].decode("ascii")))
        except (LookupError, UnicodeDecodeError):
            pass  # an unknown or a wrong declaration is the same as none
    return decode(content)


def _without_head(html: str) -> tuple[str, str | None]:
    match = _HTML_TITLE.search(html)
    body = _HTML_HEAD.sub("", html, count=1)
    if match and body == html:  # the tags of the head may be omitted
        body = html[: match.start()] + html[match.end() :]
    return body, _short(unescape(re.sub(r"<[^>]*>", "", match[1]))) if match else None


def _short(title: str | None) -> str | None:
    return " ".join(clean(title).split())[:_MAX_TITLE] or None if title else None


def _meant(title: str | None) -> str | None:
    """A title of the metadata, unless a program made it up."""
    return None if title is None or _NO_TITLE.fullmatch(title) else title


def _parser_of(name: str) -> str:
    ours = name in (formats.RECORD, formats.MARKDOWN, formats.TEXT) or name.startswith("code:")
    return _TEXT_PARSER if ours else kreuzberg_parser.parser_name()
