"""The one phrase with which a model says that the passages do not answer, and how it is recognised."""

import re
from collections.abc import Generator, Iterator

# without the full stop: models leave it out, or put a marker before it
NO_ANSWER = "The passages do not answer the question"
SENTENCE = f"{NO_ANSWER}."
MARKER = re.compile(r"\[\d+\]")


def says_no_answer(text: str) -> bool:
    """Whether a text consists of the phrase alone, markers and punctuation aside."""
    text = text.strip().strip("\"'*_ ")
    return text.startswith(NO_ANSWER) and not _has_words(text[len(NO_ANSWER) :])


def settle_no_answer(pieces: Iterator[str]) -> Generator[str, None, None]:
    """Pass the pieces of an answer on; the phrase alone leaves as ``SENTENCE``, without markers.

    What may still turn out to be the phrase alone is held back; anything else flows on at once.
    """
    held = ""
    for piece in pieces:
        held += piece
        if not _may_be_no_answer(held):
            yield held
            break
    else:
        if held:
            yield SENTENCE if says_no_answer(held) else held
    yield from pieces


def _may_be_no_answer(text: str) -> bool:
    text = text.lstrip().lstrip("\"'*_ ")
    if len(text) < len(NO_ANSWER):
        return NO_ANSWER.startswith(text)
    return text.startswith(NO_ANSWER) and not _has_words(text[len(NO_ANSWER) :])


def _has_words(text: str) -> bool:
    return any(character.isalpha() for character in MARKER.sub("", text))
