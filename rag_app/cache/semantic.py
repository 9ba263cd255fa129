"""Answers to questions that mean nearly the same, off by default: see docs/operations.md for how often
such an answer is the wrong one."""

import re
import threading
from collections import OrderedDict

import numpy as np

_NUMBERS = re.compile(r"\d+")


class SimilarQuestions:
    """Remembers which questions have been answered, by scope (release, rights, options).

    Questions that name different numbers are never the same: "the policy of 2025" is not that of
    2026, however near their vectors are.

    Args:
        similarity: least cosine of two questions that count as the same.
        entries: most questions that are remembered.
    """

    def __init__(self, similarity: float, entries: int) -> None:
        self._similarity = similarity
        self._entries = entries
        self._lock = threading.Lock()
        self._scopes: OrderedDict[str, list[tuple[np.ndarray, str, str]]] = OrderedDict()

    def add(self, scope: str, question: str, vector: np.ndarray, key: str) -> None:
        """Remember a question and the key of its answer."""
        with self._lock:
            known = self._scopes.setdefault(scope, [])
            self._scopes.move_to_end(scope)
            known.append((vector, question, key))
            while sum(map(len, self._scopes.values())) > self._entries:
                oldest = next(iter(self._scopes.values()))
                oldest.pop(0)
                if not oldest:
                    self._scopes.popitem(last=False)

    def nearest(self, scope: str, question: str, vector: np.ndarray) -> str | None:
        """The key of the most similar question's answer; None when none is similar enough."""
        with self._lock:
            known = list(self._scopes.get(scope, ()))
        best, key = self._similarity, None
        for other, asked, answer_key in known:
            likeness = float(vector @ other)
            if likeness >= best and same_numbers(question, asked):
                best, key = likeness, answer_key
        return key

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._scopes.clear()


def same_numbers(question: str, other: str) -> bool:
    """Whether two questions name the same numbers."""
    return sorted(_NUMBERS.findall(question)) == sorted(_NUMBERS.findall(other))
