"""How a quoted sentence reads in an answer; the span it is quoted from stays verbatim."""

import re

from .sentences import TABLE_RULE, Sentence

_LOOKS_LIKE_A_MARKER = re.compile(r"[\[【［]([^\[\]【】［］]{0,40})[\]】］]")
_ITEM = re.compile(r"^(?:[-*+]|\d{1,9}[.)])\s+(?:\[[ xX]\]\s+)?")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*\)")
_EMPHASIS = re.compile(r"(\*\*|__|\*|`)(?=\S)(.+?)(?<=\S)\1")
_QUOTATION = re.compile(r"(?m)^\s*>\s?")
_ENDS = (".", "!", "?", ":", ";", "…", "。", "！", "？")
_CLOSERS = ")\"”“'’»«"


def readable(sentence: Sentence) -> str:
    """A sentence on one line, without Markdown; a table row with the names of its columns.

    Brackets around numbers become round ones: in an answer, square ones are markers.
    """
    text = sentence.text
    if sentence.kind == "row":
        text = _row(text, _header(sentence.hit.text, sentence.start))
    text = _LINK.sub(r"\1", _QUOTATION.sub("", text))
    text = " ".join(_ITEM.sub("", text).split())
    text = _EMPHASIS.sub(r"\2", text)
    text = _LOOKS_LIKE_A_MARKER.sub(r"(\1)", text)
    return text if text.rstrip(_CLOSERS).endswith(_ENDS) else f"{text}."


def _row(text: str, header: list[str]) -> str:
    lines = [line for line in text.splitlines() if line.strip() and not TABLE_RULE.match(line)]
    rows = [_cells(line) for line in lines]
    return "; ".join(_named(cells, header) for cells in rows)


def _named(cells: list[str], header: list[str]) -> str:
    if len(header) == len(cells) and header != cells:
        return "; ".join(
            f"{name}: {cell}" if name else cell
            for name, cell in zip(header, cells, strict=True)
            if cell
        )
    return "; ".join(cell for cell in cells if cell)


def _header(text: str, position: int) -> list[str]:
    """The cells of the header of the table that a position lies in; empty when it is not there."""
    lines = text[:position].splitlines()
    for at in range(len(lines) - 1, 0, -1):
        if not lines[at].lstrip().startswith("|"):
            return []
        if TABLE_RULE.match(lines[at]):
            return _cells(lines[at - 1])
    return []


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", inner)]
