"""The last step of every splitter: trim spans, count their tokens, cut what is over."""

import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .base import Budget, Span

if TYPE_CHECKING:
    from .token_map import TokenMap

SURE_SHARE = 0.9  # of the budget; spans that are estimated above it are counted

_JOINERS = "\u200d\ufe0e\ufe0f"
_LOOK_BACK = 16  # characters searched for the start of a grapheme; longer ones may be cut


def finish(
    text: str, spans: Iterable[Span], budget: Budget, tokens: "TokenMap | None" = None
) -> list[Span]:
    """Trim white space, drop what is blank, and cut spans that are over the budget.

    Args:
        text: the document.
        spans: ordered spans of it.
        budget: ``max_tokens`` holds for the text of each span alone.
        tokens: the tokens of the text, which save counting spans that are clearly short enough.

    Returns:
        Spans that satisfy the protocol in ``base.py``.
    """
    trimmed = [span for span in (trim(text, span) for span in spans) if span.start < span.end]
    unsure = [span for span in trimmed if not _surely_fits(text, span, budget.max_tokens, tokens)]
    passages = [text[span.start : span.end] for span in unsure]
    counts = dict(zip(unsure, budget.counter.counts(passages), strict=True))
    final: list[Span] = []
    for span in trimmed:
        if counts.get(span, 0) <= budget.max_tokens:
            final.append(span)
        else:
            final.extend(_halved(text, span, budget))
    return final if len(final) == len(trimmed) else _in_order(text, final)


def _in_order(text: str, spans: list[Span]) -> list[Span]:
    """Order the parts of spans that overlap; parts that others cover are dropped."""
    final: list[Span] = []
    for span in sorted(spans):
        if final and span.start <= final[-1].start:
            span = trim(text, span._replace(start=min(final[-1].end, span.end)))
        if span.start < span.end and not (final and span.end <= final[-1].end):
            final.append(span)
    return final


def _surely_fits(text: str, span: Span, max_tokens: int, tokens: "TokenMap | None") -> bool:
    """Whether a span needs no count.

    A tokenizer gives at most one token a byte. Cut at white space, a span has the tokens that it
    had in the whole text, but for one or two at its ends with some tokenizers.
    """
    if 4 * (span.end - span.start) <= max_tokens:
        return True
    if tokens is None or tokens.cost(span.start, span.end) > SURE_SHARE * max_tokens:
        return False
    before, after = text[max(0, span.start - 1) : span.start], text[span.end : span.end + 1]
    return (not before or before.isspace()) and (not after or after.isspace())


def trim(text: str, span: Span) -> Span:
    """The span without the white space at its ends."""
    part = text[span.start : span.end]
    start = span.start + len(part) - len(part.lstrip())
    return span._replace(start=start, end=max(start, span.start + len(part.rstrip())))


def _halved(text: str, span: Span, budget: Budget) -> list[Span]:
    """Cut a span in two until each part fits; a single character is never cut."""
    final: list[Span] = []
    stack = [span]
    while stack:
        part = trim(text, stack.pop())
        size = part.end - part.start
        if size < 1:
            continue
        if size == 1 or budget.counter.count(text[part.start : part.end]) <= budget.max_tokens:
            final.append(part)
            continue
        middle = _middle(text, part.start, part.end)
        stack.append(part._replace(start=middle))
        stack.append(part._replace(end=middle))
    return final


def _middle(text: str, start: int, end: int) -> int:
    """A place to cut near the middle: after white space if there is some in the middle half."""
    middle = (start + end) // 2
    quarter = (end - start) // 4
    for position in range(middle, middle - quarter, -1):
        if text[position - 1].isspace():
            return position
    return grapheme_start(text, middle, start + 1)


def grapheme_start(text: str, position: int, least: int) -> int:
    """Move a cut to the left so that it does not part a letter from its marks or join an emoji."""
    for candidate in range(position, max(least, position - _LOOK_BACK) - 1, -1):
        if not (_extends(text[candidate]) or text[candidate - 1] == "\u200d"):
            return candidate
    return position


def _extends(character: str) -> bool:
    return (
        character in _JOINERS
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # skin tones
        or unicodedata.category(character) in ("Mn", "Me", "Mc")
    )
