"""The context that is embedded with a passage: title, headings, a table's header row.

A passage alone often does not say what it is about ("It takes ten days."). What is embedded is
therefore ``Title > Heading > Sub-heading``, a line break, and the text. What the passage or the
first heading already says is not repeated.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .markdown import plain_heading

if TYPE_CHECKING:
    from rag_assets.encoders.tokenizer import TokenCounter

SEPARATOR = " > "
HEAD_LINES = 12  # lines at the start of a passage that may be its own headings


def context_lines(
    title: str, heading_path: Sequence[str], text: str = "", lead: str = ""
) -> list[str]:
    """The lines of context for a passage.

    Args:
        title: the document's title.
        heading_path: headings above the passage, outermost first.
        text: the passage; headings that it begins with are left out.
        lead: a table's header row that the passage does not hold itself.

    Returns:
        No line, or the path of headings, then the lead; blank parts are left out.
    """
    own = _own_headings(text)
    parts: list[str] = []
    for part in (title, *heading_path):
        line = " ".join(part.split())
        repeated = parts and _key(parts[-1]) == _key(line)
        if line and not repeated and _key(line) not in own:
            parts.append(line)
    lines = [SEPARATOR.join(parts)] if parts else []
    return [*lines, lead] if lead else lines


def embedded_text(
    text: str,
    title: str,
    heading_path: Sequence[str],
    lead: str,
    counter: "TokenCounter",
    max_tokens: int,
) -> tuple[str, int]:
    """Put the context before a passage, shortened to the tokens that the passage leaves.

    The path loses its outermost parts first, then the innermost heading its end, then the lead its
    end: what stands nearest to the text says most about it.

    Returns:
        The text to embed and its tokens (special tokens left out). Over ``max_tokens`` only when
        the passage alone is.
    """
    lines = context_lines(title, heading_path, text, lead)
    whole = "\n".join([*lines, text])
    tokens = counter.count(whole)
    if tokens <= max_tokens or not lines:
        return whole, tokens
    for shorter in _shortened(lines, lead, counter, max_tokens - counter.count(text)):
        whole = "\n".join([*shorter, text])
        tokens = counter.count(whole)
        if tokens <= max_tokens:
            return whole, tokens
    return text, counter.count(text)


def _shortened(lines: list[str], lead: str, counter: "TokenCounter", room: int) -> list[list[str]]:
    """Ever shorter contexts of at most ``room`` tokens, longest first."""
    path = lines[0] if len(lines) > bool(lead) else ""
    parts = path.split(SEPARATOR) if path else []
    tail = [lead] if lead else []
    left = room - (counter.count(lead) if lead else 0)
    candidates = []
    for outer in range(1, len(parts)):
        line = SEPARATOR.join(parts[outer:])
        if counter.count(line) <= left:
            candidates.append([line, *tail])
            break
    if parts and left > 0:
        candidates.append([_first_tokens(parts[-1], counter, left), *tail])
    if lead and room > 0:
        candidates.append([_first_tokens(lead, counter, room)])
    return [[line for line in lines if line] for lines in candidates]


def _first_tokens(text: str, counter: "TokenCounter", tokens: int) -> str:
    offsets = counter.offsets(text)
    if len(offsets) <= tokens:
        return text
    return text[: int(offsets[tokens][0])].rstrip()


def _own_headings(text: str) -> set[str]:
    """The headings that a passage begins with, before its first line of body."""
    own: set[str] = set()
    if not text.startswith("#"):
        return own
    for line in text.split("\n", HEAD_LINES)[:HEAD_LINES]:
        stripped = line.strip()
        if stripped.startswith("#"):
            own.add(_key(plain_heading(stripped.lstrip("#"))))
        elif stripped:
            break
    return own


def _key(line: str) -> str:
    return " ".join(line.split()).casefold()
