"""From a conversation to the one question that is searched."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

# words that point to something said before, and beginnings that go on from it
BACK = frozenset(
    {"it", "its", "they", "them", "their", "theirs", "this", "that", "these", "those", "he", "him"}
    | {"his", "she", "her", "hers", "ones", "former", "latter"}
)
GOES_ON = ("and ", "or ", "but ", "what about", "how about", "why", "also ", "then ", "so ")
LONGEST_FOLLOW_UP = 12  # words; a longer question says itself what it is about

_WORD = re.compile(r"[\w']+")


@dataclass(frozen=True)
class Turn:
    """One message: who said it, and its text."""

    role: str
    text: str


def question_of(turns: Sequence[Turn]) -> str:
    """What is asked: the last thing that the user said.

    A short question that points back ("and in Germany?", "who approves it?") is put behind the
    user's question before it, so that the search knows what it is about. Everything else that was
    said is left out: answers come from the documents, not from the conversation.

    Returns:
        the question; empty when the user said nothing.
    """
    said = [turn.text.strip() for turn in turns if turn.role == "user" and turn.text.strip()]
    if not said:
        return ""
    if len(said) > 1 and _points_back(said[-1]):
        return f"{said[-2]} {said[-1]}"
    return said[-1]


def _points_back(question: str) -> bool:
    words = _WORD.findall(question.lower())
    if len(words) > LONGEST_FOLLOW_UP:
        return False
    return question.lower().startswith(GOES_ON) or not BACK.isdisjoint(words)
