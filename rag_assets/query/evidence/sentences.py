"""Sentences of passages, scored as answers to a question.

A sentence is a sentence of prose, a list item or a table row. Its score is the probability, by a
logistic model over the signals below, that it holds the answer.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np

from rag_assets.chunks.sentences import sentence_starts
from rag_assets.query.answer import Hit

from .answer_type import expected_type, type_fit
from .words import content_stems, words_of

if TYPE_CHECKING:
    from rag_assets.encoders.base import Progress

# encoding is what an answer costs: about a millisecond a sentence on two cores
MAX_ENCODED = 60
MIN_WORDS = 3
LONGEST_SENTENCE = 600  # characters: what has no boundary (a table of contents, code) is cut
SIGNALS = (
    "likeness", "coverage", "context_coverage", "passage", "type_fit", "short", "passage_likeness",
)  # fmt: skip
# Fitted as a choice among the sentences of the first five passages, on half of the answerable
# questions of SQuAD 2 (8 articles) and CLAP-NQ (half of it), both sets weighing alike, then scaled to
# probabilities. On the other halves the best sentence holds the answer for .855 of 662 and .684 of
# 76 questions (answerable, the answer among the sentences); the likeness alone finds .687 and .671,
# likeness, coverage and passage at .4, .3 and .3 find .826 and .645.
WEIGHTS = (2.56, 1.39, 2.34, 3.44, 1.19, -0.77, 2.15)
INTERCEPT = -9.11


# a short line without a stop before a line that begins with a capital: a heading, or a list item;
# wrapped prose has longer lines
_HEADING_LINE = re.compile(r"(?m)^(?![|>])[^\n]{0,58}[^\n.,;:!?…]\n(?=[^\W\d_a-zà-ÿ])")
TABLE_RULE = re.compile(r"^\s*\|?[\s:|-]*-[\s:|-]*$")
_LEAD_IN = re.compile(r"^[^\n]*:$")
LONGEST_LEAD_IN = 8  # words: a line that ends with a colon and says nothing itself


class SentenceEncoder(Protocol):
    """What is needed of an encoder here: texts in, unit vectors out."""

    def encode(self, texts: Sequence[str], progress: "Progress | None" = None) -> np.ndarray: ...


@dataclass(frozen=True)
class Sentence:
    """One sentence of a chunk.

    Attributes:
        passage: position of its passage in the list that was scored, from 0.
        start, end: offsets in ``hit.text``.
        kind: ``prose``, ``item`` or ``row``.
    """

    hit: Hit
    passage: int
    start: int
    end: int
    kind: str

    @property
    def text(self) -> str:
        """The sentence as it stands in the document."""
        return self.hit.text[self.start : self.end]


@dataclass(frozen=True)
class ScoredSentences:
    """Sentences with what is known of them as answers; all lists and arrays are of equal length.

    Attributes:
        scores: from 0 to 1.
        signals: float64, shape (sentences, len(SIGNALS)).
        vectors: float32, shape (sentences, dimensions), of unit length.
        rarity: weight of each stem of the question, by how few of the sentences have it.
    """

    sentences: list[Sentence]
    scores: np.ndarray
    signals: np.ndarray
    vectors: np.ndarray
    rarity: dict[str, float]

    def best_first(self) -> list[int]:
        """Positions by score; ties in reading order."""
        return [int(index) for index in np.argsort(-self.scores, kind="stable")]


def sentences_of(hit: Hit, passage: int = 0) -> list[Sentence]:
    """The sentences of a chunk that can stand as evidence, in order.

    Headings, rules, and pieces of fewer than three words are left out; two words do in a table row
    or where the script has no spaces.
    """
    text = hit.text
    found: list[Sentence] = []
    for start, end in pairwise([0, *_starts(text), len(text)]):
        for piece_start, piece_end in _body(text, start, end):
            kind = _kind(text[piece_start:piece_end])
            if kind and not (kind == "row" and _is_header(text, piece_end)):
                found.append(Sentence(hit, passage, piece_start, piece_end, kind))
    return found


def score_sentences(
    question: str,
    question_vector: np.ndarray,
    passages: Sequence[Sequence[Hit]],
    encoder: SentenceEncoder,
) -> ScoredSentences:
    """Score the sentences of passages as answers.

    Args:
        question: the question.
        question_vector: float32, shape (dimensions,), of unit length.
        passages: best first; each one or more chunks in reading order.
        encoder: encodes the sentences; at most ``MAX_ENCODED`` of them are looked at, those of the
            best passages that share words with the question first.
    """
    sentences = _distinct(
        [
            found
            for at, hits in enumerate(passages)
            for hit in hits
            for found in sentences_of(hit, at)
        ]
    )
    asked = set(content_stems(question))
    stems = [set(content_stems(sentence.text)) for sentence in sentences]
    rarity = _rarity(asked, stems)
    kept = _worth_encoding(sentences, [_share(asked & found, rarity) for found in stems])
    sentences, stems = [sentences[at] for at in kept], [stems[at] for at in kept]
    if not sentences:
        nothing = np.zeros((0, len(question_vector)), dtype=np.float32)
        return ScoredSentences([], np.zeros(0), np.zeros((0, len(SIGNALS))), nothing, rarity)
    vectors = encoder.encode([plain_line(sentence.text) for sentence in sentences])
    signals = _signals(question, sentences, stems, rarity, vectors @ question_vector)
    scores = 1 / (1 + np.exp(-(signals @ np.array(WEIGHTS) + INTERCEPT)))
    return ScoredSentences(sentences, scores, signals, vectors, rarity)


def _signals(
    question: str,
    sentences: Sequence[Sentence],
    stems: Sequence[set[str]],
    rarity: dict[str, float],
    likeness: np.ndarray,
) -> np.ndarray:
    asked = set(rarity)
    kind = expected_type(question)
    best_of: dict[int, float] = {}
    for sentence, value in zip(sentences, likeness, strict=True):
        best_of[sentence.passage] = max(best_of.get(sentence.passage, -1.0), float(value))
    rows = []
    for at, sentence in enumerate(sentences):
        around = stems[at] | _context(sentence.hit)
        before = at - 1
        if before >= 0 and sentences[before].hit is sentence.hit:
            around |= stems[before]
        rows.append(
            (
                float(likeness[at]),
                _share(asked & stems[at], rarity),
                _share(asked & around, rarity),
                sentence.hit.score,
                type_fit(kind, question, sentence.text),
                # a row has the words of its header besides
                float(len(stems[at]) < 4 and sentence.kind != "row"),
                best_of[sentence.passage],
            )
        )
    return np.array(rows, dtype=np.float64)


def _context(hit: Hit) -> set[str]:
    return set(content_stems(" ".join((hit.title, *hit.heading_path))))


def _rarity(asked: set[str], stems: Sequence[set[str]]) -> dict[str, float]:
    counts = Counter(stem for found in stems for stem in asked & found)
    return {stem: math.log(1 + (1 + len(stems)) / (1 + counts[stem])) for stem in sorted(asked)}


def _share(found: set[str], rarity: dict[str, float]) -> float:
    total = sum(rarity.values())
    return sum(rarity[stem] for stem in found) / total if total else 0.0


def _worth_encoding(sentences: Sequence[Sentence], shares: Sequence[float]) -> list[int]:
    """Positions of the sentences to look at, in order."""
    if len(sentences) <= MAX_ENCODED:
        return list(range(len(sentences)))
    promise = [share + 0.5 / (1 + s.passage) for s, share in zip(sentences, shares, strict=True)]
    best = sorted(range(len(sentences)), key=lambda at: (-promise[at], at))[:MAX_ENCODED]
    return sorted(best)


def _distinct(sentences: Sequence[Sentence]) -> list[Sentence]:
    """Without what overlaps between neighbouring chunks, or is said twice in the same words."""
    seen: set[str] = set()
    kept = []
    for sentence in sentences:
        key = " ".join(sentence.text.split()).casefold()
        if key not in seen:
            seen.add(key)
            kept.append(sentence)
    return kept


def _starts(text: str) -> list[int]:
    """Where sentences begin, those after a heading line of a format without marked headings too."""
    lines = (match.end() for match in _HEADING_LINE.finditer(text))
    return sorted({*sentence_starts(text, 0, len(text)), *lines} - {0, len(text)})


def _body(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The span without headings and outer white space, cut where it is far too long."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[start] == "#":
        line_end = text.find("\n", start, end)
        if line_end < 0:
            return []
        start = line_end + 1
        while start < end and text[start].isspace():
            start += 1
    end = start + len(text[start:end].rstrip())
    spans = []
    while end - start > LONGEST_SENTENCE:
        cut = max(text.rfind(mark, start, start + LONGEST_SENTENCE) for mark in ("\n", " "))
        cut = cut if cut > start else start + LONGEST_SENTENCE
        spans.append((start, start + len(text[start:cut].rstrip())))
        start = cut + len(text[cut:end]) - len(text[cut:end].lstrip())
    return [*spans, (start, end)] if start < end else spans


def _is_header(text: str, end: int) -> bool:
    """Whether the table row that ends here names the columns of the rows below it."""
    following = text[end:].lstrip().split("\n", 1)[0]
    return following.startswith("|") and TABLE_RULE.match(following) is not None


def _kind(text: str) -> str:
    """``prose``, ``item`` or ``row``; empty for what is no sentence."""
    words = words_of(text)
    if text.startswith("|"):
        return "row" if len(words) >= 2 else ""
    if len(words) < MIN_WORDS or text.startswith("```"):
        return ""
    if len(words) < LONGEST_LEAD_IN and _LEAD_IN.match(text):
        return ""
    item = text[0] in "-*+" and text[1:2].isspace()
    return "item" if item or text.split(maxsplit=1)[0].rstrip(".)").isdigit() else "prose"


def plain_line(text: str) -> str:
    """What is encoded of a text: one line, no table bars, nothing that UTF-8 cannot hold."""
    line = " ".join(text.replace("|", " ").split())
    return line.encode("utf-8", "replace").decode("utf-8")
