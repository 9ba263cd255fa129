"""Phrases of a document: what a search for its text looks for. Pure functions.

A phrase lies in one line, so that no writer has broken or joined it, and is long enough to be no
coincidence. What another document says too is no phrase: finding it would prove nothing.
"""

import re
from collections.abc import Iterable, Iterator

import polars as pl

MOST_PHRASES = 6000
LEAST_WORDS = 4
LEAST_CHARACTERS = 24
LEAST_LETTERS = 12
# a language that is written without spaces says more with fewer characters
LEAST_IDEOGRAPHS = 10
FIRST_IDEOGRAPH = "\u2e80"
# longer sentences are also looked for in parts: what quotes them may have cut them off
PART_WORDS = 10
LONG_SENTENCE = 100

_MARKUP = " \t#>*+-|_`~=•·"
_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+")
_LINE_END = re.compile(r"[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")


def phrases_of(texts: Iterable[str]) -> list[str]:
    """The candidates: lines, their sentences, and parts of long sentences; distinct, in order."""
    found: dict[str, None] = {}
    for text in texts:
        for line in _LINE_END.split(text):
            for piece in _pieces(line.strip(_MARKUP)):
                if is_long_enough(piece):
                    found[piece] = None
    return list(found)


def is_long_enough(phrase: str) -> bool:
    """Whether a phrase is long enough that finding it elsewhere is no coincidence."""
    letters = [character for character in phrase if character.isalnum()]
    if sum(letter >= FIRST_IDEOGRAPH for letter in letters) >= LEAST_IDEOGRAPHS:
        return True
    if len(letters) < LEAST_LETTERS:
        return False
    return len(phrase.split()) >= LEAST_WORDS or len(phrase) >= LEAST_CHARACTERS


def own_phrases(candidates: list[str], others: Iterable[pl.Series]) -> list[str]:
    """The candidates that no other text contains.

    Args:
        candidates: phrases.
        others: texts of other documents, in batches of strings.
    """
    left = candidates
    for batch in others:
        if not left:
            break
        shared = found_in(batch, left)
        left = [phrase for phrase in left if phrase not in shared]
    return left


def found_in(texts: pl.Series, phrases: list[str]) -> set[str]:
    """The phrases that any of the texts contains."""
    texts = texts.drop_nulls().unique()
    if not phrases or texts.is_empty():
        return set()
    # one pass to find the few texts that have any, a second for which ones
    hit = texts.filter(texts.str.contains_any(phrases))
    matches = hit.str.extract_many(phrases, overlapping=True)
    return set(matches.explode(empty_as_null=False).drop_nulls())


def spread(phrases: list[str], most: int = MOST_PHRASES) -> tuple[str, ...]:
    """At most so many of the phrases, evenly from beginning to end, the longest first."""
    if len(phrases) > most:
        step = len(phrases) / most
        phrases = [phrases[int(number * step)] for number in range(most)]
    return tuple(sorted(phrases, key=lambda phrase: (-len(phrase), phrase)))


def _pieces(line: str) -> Iterator[str]:
    yield line
    for sentence in _SENTENCE_END.split(line):
        sentence = sentence.strip(_MARKUP)
        yield sentence
        if len(sentence) > LONG_SENTENCE:
            yield from _parts(sentence)


def _parts(sentence: str) -> Iterator[str]:
    """Consecutive parts of some words each, spelled as they stand in the sentence."""
    words = list(re.finditer(r"\S+", sentence))
    for first in range(0, len(words), PART_WORDS):
        last = words[min(first + PART_WORDS, len(words)) - 1]
        yield sentence[words[first].start() : last.end()]
