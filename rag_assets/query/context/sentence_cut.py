"""Cuts a chunk that is too long, at the end of a sentence where that is possible."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from rag_assets.chunks.sentences import sentence_starts
from rag_assets.query.answer import Hit


def cut_to_fit(hit: Hit, budget: int, count_tokens: Callable[[str], int]) -> Hit | None:
    """The longest beginning of a chunk that fits a budget.

    It ends with a sentence; with a word if the first sentence alone is too long; within a word if
    even that is.

    Returns:
        The chunk with a shorter ``text`` and ``char_end``; None where not one character fits.
    """
    text = hit.text
    starts = list(sentence_starts(text, 0, len(text)))
    words = [place for place in range(1, len(text)) if text[place].isspace()]
    for ends in (starts, words, range(1, len(text))):
        if (length := _longest(text, ends, budget, count_tokens)) > 0:
            return replace(hit, text=text[:length], char_end=hit.char_start + length)
    return None


def _longest(
    text: str, ends: Sequence[int], budget: int, count_tokens: Callable[[str], int]
) -> int:
    """The greatest end, white space before it left out, at which the text fits; 0: none."""

    def length(number: int) -> int:
        return len(text[: ends[number]].rstrip())

    low, high = 0, len(ends)
    while low < high:
        middle = (low + high) // 2
        if count_tokens(text[: length(middle)]) <= budget:
            low = middle + 1
        else:
            high = middle
    # a longer text can count fewer tokens, so what the search found is counted itself: where
    # ``low`` moved past an end, that very end was seen to fit
    return length(low - 1) if low else 0
