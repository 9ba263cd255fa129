"""Page texts of a PDF to Markdown: wrapped lines joined, paragraphs, lists and headings marked.

kreuzberg's own Markdown of PDFs is not used: on 124 PDFs it took nine times as long, gave no usable
page offsets, and dropped up to 90% of the words of a file (SEC filings). Its page texts are whole.
"""

import re
from collections.abc import Sequence

from .decoding import clean

_WRAPPED_WORD = re.compile("(\\w+)\x02(\\w+)")
_BULLET = re.compile(r"^[•●▪◦‣∙■□–]\s+")
_ITEM = re.compile(r"^(?:[-*•●▪◦‣∙■□–]\s|\(?\d{1,3}[.)]\s|\(?[a-z][.)]\s)")
_DIGIT = re.compile(r"\d")
_WORD = re.compile(r"[^\W\d_]{3,}")
_SENTENCE_END = (".", "!", "?", ":", ";", "。", "！", "？")
_FULL_LINE = 0.75  # share of the page's text width from which a line may have been wrapped
_MIN_WIDTH = 30
_MAX_HEADING = 80


def pages_to_markdown(pages: Sequence[str]) -> tuple[str, list[int]]:
    """Join the texts of pages into one Markdown text.

    Args:
        pages: the text of each page as kreuzberg gives it; U+0002 stands for the hyphen of a
            word that was wrapped.

    Returns:
        The text, and the character offset at which each page starts. A page without text starts
        where the next page does.
    """
    words = set(re.findall(r"[\w-]+", " ".join(pages)))
    parts: list[str] = []
    starts: list[int] = []
    length = 0
    for page in pages:
        starts.append(length)
        text = _reflow(clean(join_wrapped_words(page, words)), _text_width(page))
        if text:
            parts.append(text)
            length += len(text) + 2
    text = "\n\n".join(parts)
    return text, [min(start, len(text)) for start in starts]


def join_wrapped_words(text: str, words: set[str]) -> str:
    """Put words back together that were wrapped at the end of a line.

    The hyphen is kept when the document elsewhere has the word with it, and not without it.
    """

    def join(match: re.Match[str]) -> str:
        left, right = match.groups()
        hyphenated = f"{left}-{right}"
        return hyphenated if hyphenated in words and left + right not in words else left + right

    return _WRAPPED_WORD.sub(join, text).replace("\x02", "")


def _text_width(page: str) -> int:
    """The length of a full line in characters: the 90th percentile of the page's lines."""
    lengths = sorted(len(line.strip()) for line in re.split("[\r\n\x02]+", page) if line.strip())
    return lengths[int(0.9 * (len(lengths) - 1))] if lengths else 0


def _reflow(page: str, width: int) -> str:
    raw = [line for line in page.split("\n") if line.strip()]
    lines = [line.strip() for line in raw]
    out: list[str] = []
    for index, line in enumerate(lines):
        previous = lines[index - 1] if index else None
        following = lines[index + 1] if index + 1 < len(lines) else None
        if _is_heading(previous, line, following, width):
            out.append(("\n\n" if out else "") + f"## {line}\n\n")
            continue
        soft = index > 0 and raw[index - 1].endswith(" ")
        out.append(_separator(previous, line, width, soft, out) + _BULLET.sub("- ", line))
    return "".join(out).strip()


def _separator(previous: str | None, line: str, width: int, soft: bool, out: list[str]) -> str:
    if previous is None or out[-1].endswith("\n\n"):
        return ""
    full = len(previous) >= max(_MIN_WIDTH, _FULL_LINE * width)
    if _ITEM.match(line):
        return "\n"
    if _is_figures(previous) or _is_figures(line):
        return "\n"
    ended = previous.endswith(_SENTENCE_END)
    if not ended and (full or (soft and line[:1].islower())):
        return " "
    if ended and full:
        return " " if line[:1].islower() else "\n"
    return "\n\n" if ended and len(previous) >= _MIN_WIDTH // 2 else "\n"


def _is_heading(previous: str | None, line: str, following: str | None, width: int) -> bool:
    """A short line without a full stop, after the end of a paragraph and before a line of prose."""
    if following is None or width < _MIN_WIDTH or len(line) > min(_MAX_HEADING, 0.7 * width):
        return False
    if previous is not None and not previous.endswith(_SENTENCE_END):
        return False
    starts_well = line[0].isupper() or bool(re.match(r"\d+(\.\d+)*\.?\s+\w", line))
    return (
        starts_well
        and not line.endswith((*_SENTENCE_END, ",", "-"))
        and not _is_figures(line)
        and bool(_WORD.search(line))
        and len(following) >= 0.6 * width
        and not following[0].islower()
        and not _is_figures(following)
    )


def _is_figures(line: str) -> bool:
    """Whether a line looks like a row of a table: a fifth of it or more is digits."""
    return len(_DIGIT.findall(line)) * 5 >= len(line)
