"""How well passages support sentences, without an LLM.

A sentence is compared with windows of one to two neighbouring sentences of a passage: by meaning
(cosine of their vectors) and by words. Then what must agree has to agree: a number that the passage
does not have, a name it does not have, a denial on one side only. Similar vectors say little about
those, and they are where wrong answers differ from right ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from rag_assets.chunks.sentences import sentence_starts

from .sentences import SentenceEncoder, plain_line
from .words import content_stems, names_of, negations, numbers_of

# cosines of unrelated sentences lie below the first, of paraphrases above the second
UNLIKE, ALIKE = 0.2, 0.75
MISSING_NUMBER = 0.25
MISSING_NAME = 0.4
OTHER_POLARITY = 0.45


class Statement(NamedTuple):
    """What is compared of a piece of text."""

    stems: frozenset[str]
    numbers: frozenset[str]
    names: frozenset[str]
    denies: bool


@dataclass(frozen=True)
class BestSupport:
    """How well one passage supports one sentence.

    Attributes:
        score: from 0 to 1.
        index: position of the sentence of the passage that supports it best; -1 where it has none.
    """

    score: float
    index: int


def support_scores(
    sentences: Sequence[str], passages: Sequence[str], encoder: SentenceEncoder
) -> np.ndarray:
    """How well each passage supports each sentence.

    Args:
        sentences: of an answer, without markers.
        passages: texts.
        encoder: compares sentences.

    Returns:
        float64 in [0, 1], shape (len(sentences), len(passages)).
    """
    split = [_split(passage) for passage in passages]
    supports = support(sentences, split, encoder)
    scores = [[best.score for best in row] for row in supports]
    return np.array(scores, dtype=np.float64).reshape(len(sentences), len(passages))


def support(
    sentences: Sequence[str], passages: Sequence[Sequence[str]], encoder: SentenceEncoder
) -> list[list[BestSupport]]:
    """As ``support_scores``, of passages that are split already, with the best sentence of each."""
    pieces = [piece for passage in passages for piece in passage]
    if not sentences or not pieces:
        return [[BestSupport(0.0, -1) for _ in passages] for _ in sentences]
    vectors = encoder.encode([plain_line(text) for text in (*sentences, *pieces)])
    likeness = vectors[: len(sentences)] @ vectors[len(sentences) :].T
    ends = np.cumsum([0, *map(len, passages)])
    described = [describe(piece) for piece in pieces]
    rows = []
    for sentence, like in zip(sentences, likeness, strict=True):
        claim = describe(sentence)
        rows.append(
            [_best(claim, like[start:end], described[start:end]) for start, end in pairwise(ends)]
        )
    return rows


def describe(text: str) -> Statement:
    """What must agree between a claim and its evidence."""
    return Statement(
        frozenset(content_stems(text)),
        frozenset(numbers_of(text)),
        frozenset(names_of(text)),
        negations(text) % 2 == 1,
    )


def _best(claim: Statement, likeness: np.ndarray, evidence: Sequence[Statement]) -> BestSupport:
    """The best window of a passage; its first half is the sentence that is named."""
    best = BestSupport(0.0, -1)
    for at in range(len(evidence)):
        for window in (evidence[at : at + 1], evidence[at : at + 2]):
            # the likeness of a window is that of its better sentence
            alike = float(likeness[at : at + len(window)].max())
            score = _score(claim, alike, window)
            if score > best.score or best.index < 0:
                own = [_own(claim, likeness[at + i], one) for i, one in enumerate(window)]
                best = BestSupport(score, at + int(np.argmax(own)))
    return best


def _own(claim: Statement, likeness: float, sentence: Statement) -> float:
    """What one sentence of a window adds: meaning, words, and numbers."""
    shared = _share(claim.stems, sentence.stems) + _share(claim.numbers, sentence.numbers)
    return float(likeness) + shared


def _score(claim: Statement, likeness: float, window: Sequence[Statement]) -> float:
    stems = frozenset().union(*(sentence.stems for sentence in window))
    numbers = frozenset().union(*(sentence.numbers for sentence in window))
    names = frozenset().union(*(sentence.names for sentence in window))
    meaning = min(1.0, max(0.0, (likeness - UNLIKE) / (ALIKE - UNLIKE)))
    score = (meaning + _share(claim.stems, stems)) / 2
    if not claim.numbers <= numbers:
        score *= MISSING_NUMBER
    # a name counts as there when its word is: it may stand at the head of a sentence
    if not claim.names <= names | stems:
        score *= MISSING_NAME
    if all(sentence.denies != claim.denies for sentence in window):
        score *= OTHER_POLARITY
    return score


def _share(asked: frozenset[str], found: frozenset[str]) -> float:
    return len(asked & found) / len(asked) if asked else 1.0


def _split(text: str) -> list[str]:
    bounds = [0, *sentence_starts(text, 0, len(text)), len(text)]
    pieces = (" ".join(text[start:end].split()) for start, end in pairwise(bounds))
    return [piece for piece in pieces if piece]
