"""The block structure of Markdown with exact character offsets: sections, and blocks in them.

markdown-it-py parses blocks only (no emphasis, no links), which says for every block the lines it
covers. Whatever it does not report (link definitions, blocks nested too deeply) lies between blocks
and is kept by those who cut: they cut ranges of text, not lists of blocks.
"""

import bisect
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

LONGEST_HEADING = 200  # characters; more is a paragraph that happens to be underlined

_LINE_END = re.compile(r"\r\n?|\n")  # what markdown-it takes for one
_KINDS = {
    "paragraph_open": "paragraph",
    "heading_open": "heading",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "list_item_open": "item",
    "blockquote_open": "quote",
    "table_open": "table",
    "fence": "code",
    "code_block": "code",
    "html_block": "html",
    "hr": "rule",
}


@dataclass(slots=True)
class Block:
    """A block of Markdown: its kind, its character range, and the blocks inside it."""

    kind: str
    start: int
    end: int
    level: int = 0  # of a heading
    title: str = ""  # of a heading, as plain text
    children: "list[Block]" = field(default_factory=list)


@dataclass(slots=True)
class Section:
    """A heading with what stands under it; the root of a document has no heading.

    Attributes:
        path: titles of the headings down to this one, outermost first.
        start: offset of the heading.
        body_start: offset after the heading.
        body_end: where the first sub-section starts, or ``end``.
        end: offset after the last sub-section.
        blocks: the blocks between the heading and ``body_end``.
        children: the sub-sections.
    """

    level: int
    path: tuple[str, ...]
    start: int
    body_start: int
    body_end: int
    end: int
    blocks: list[Block] = field(default_factory=list)
    children: "list[Section]" = field(default_factory=list)


def make_parser() -> "MarkdownIt":
    """A CommonMark parser with tables that finds blocks and nothing else."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


def parse_blocks(text: str, parser: "MarkdownIt") -> list[Block]:
    """The top-level blocks of a text, in order."""
    lines = [0, *(match.end() for match in _LINE_END.finditer(text))]
    if lines[-1] != len(text):
        lines.append(len(text))
    return _blocks(parser.parse(text), lines)


def _blocks(tokens: Sequence["Token"], lines: list[int]) -> list[Block]:
    top: list[Block] = []
    siblings = top
    parents: list[list[Block]] = []
    for position, token in enumerate(tokens):
        kind = _KINDS.get(token.type)
        if kind and token.map:
            block = _block(kind, token, tokens[position + 1 : position + 2], lines)
            siblings.append(block)
        elif kind:
            block = Block(kind, 0, 0)
        if kind and token.nesting == 1:
            parents.append(siblings)
            siblings = block.children
        elif token.nesting == -1 and token.type.replace("_close", "_open") in _KINDS:
            siblings = parents.pop()
    return top


def _block(kind: str, token: "Token", following: Sequence["Token"], lines: list[int]) -> Block:
    first, last = token.map or (0, 0)
    block = Block(kind, lines[min(first, len(lines) - 1)], lines[min(last, len(lines) - 1)])
    if kind == "heading":
        title = following[0].content if following else ""
        if len(title) > LONGEST_HEADING or "\n" in title:
            block.kind = "paragraph"
        else:
            block.level, block.title = int(token.tag[1:]), plain_heading(title)
    return block


def parse_sections(text: str, parser: "MarkdownIt") -> Section:
    """The tree of sections of a text; headings inside lists and quotations do not count."""
    root = Section(0, (), 0, 0, len(text), len(text))
    open_sections = [root]
    for block in parse_blocks(text, parser):
        if block.kind != "heading":
            open_sections[-1].blocks.append(block)
            continue
        while open_sections[-1].level >= block.level:
            open_sections.pop().end = block.start
        parent = open_sections[-1]
        path = (*parent.path, block.title) if block.title else parent.path
        if not parent.children:
            parent.body_end = block.start
        section = Section(block.level, path, block.start, block.end, len(text), len(text))
        parent.children.append(section)
        open_sections.append(section)
    _close(root)
    return root


def _close(section: Section) -> None:
    """A section without sub-sections is all body."""
    if not section.children:
        section.body_end = section.end
    for child in section.children:
        _close(child)


class Headings:
    """Which headings a position of a text stands under."""

    def __init__(self, root: Section) -> None:
        self._starts: list[int] = []
        self._paths: list[tuple[str, ...]] = []
        self._add(root)

    def path_at(self, position: int) -> tuple[str, ...]:
        """Titles of the headings above a position, outermost first."""
        return self._paths[bisect.bisect_right(self._starts, position) - 1]

    def _add(self, section: Section) -> None:
        self._starts.append(section.start)
        self._paths.append(section.path)
        for child in section.children:
            self._add(child)


def plain_heading(source: str) -> str:
    """A heading without its markup: links become their text, code and emphasis marks go."""
    source = re.sub(r"<[^<>]{1,200}>", "", source)
    source = re.sub(r"!?\[([^\[\]]{0,200})\]\([^()\s]{0,500}\)", r"\1", source)
    source = re.sub(r"\s+#+\s*$|\s*\{#[^{}]*\}\s*$", "", source)
    source = re.sub(r"(\*\*|__|`)(?=\S)(.+?)(?<=\S)\1", r"\2", source)
    return " ".join(source.split())
