"""The extractive answerer: quotes the sentences that answer, with their spans; needs no LLM."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from rag_assets.chunks.sentences import sentence_starts

from .answer import Citation, Hit

if TYPE_CHECKING:
    from rag_assets.encoders import Encoder

MAX_PASSAGES = 5
MAX_SENTENCES = 60
QUOTED = 3
# what counts: the likeness of the sentence to the question, the rare words they share (which a
# model of one language misses in another), and the rank of the sentence's passage
SHARES = (0.4, 0.3, 0.3)
STEM = 6  # characters: enough to join inflected forms in English and German
MIN_WORDS = 3


@dataclass(frozen=True)
class _Sentence:
    hit: Hit
    start: int  # in the hit's text
    end: int

    @property
    def text(self) -> str:
        return self.hit.text[self.start : self.end]


def answer_by_quoting(
    question: str, question_vector: np.ndarray, hits: Sequence[Hit], encoder: "Encoder"
) -> tuple[str, list[Citation]]:
    """Compose an answer of verbatim sentences.

    Args:
        question: the question.
        question_vector: the encoded question, shape (dimensions,).
        hits: passages, best first.
        encoder: scores sentences against the question.

    Returns:
        The answer with markers ``[1]``, ``[2]`` … and their citations; an empty text and list when
        the passages hold no sentence.
    """
    sentences = _sentences(hits[:MAX_PASSAGES])
    if not sentences:
        return "", []
    texts = [sentence.text for sentence in sentences]
    likeness = encoder.encode(texts) @ question_vector
    passage = np.array([sentence.hit.score for sentence in sentences])
    parts_of_score = (likeness, _shared_words(question, texts), passage)
    scores = np.tensordot(np.array(SHARES), np.stack(parts_of_score), axes=1)
    chosen: list[tuple[_Sentence, float]] = []
    for index in np.argsort(-scores, kind="stable"):
        candidate = sentences[int(index)]
        if all(candidate.text != other.text for other, _ in chosen):
            chosen.append((candidate, float(scores[index])))
        if len(chosen) == QUOTED:
            break
    parts, citations = [], []
    for number, (sentence, score) in enumerate(chosen, start=1):
        parts.append(f"{_one_line(sentence.text)} [{number}]")
        citations.append(_citation(str(number), sentence, score))
    return " ".join(parts), citations


def _shared_words(question: str, texts: Sequence[str]) -> np.ndarray:
    """Per text, the share of the question's words it has, rare ones counting more; from 0 to 1."""
    found = [_stems(text) for text in texts]
    weights = {
        stem: math.log(1 + len(found) / (1 + sum(stem in stems for stems in found)))
        for stem in _stems(question)
    }
    total = sum(weights.values()) or 1.0
    shared = [sum(weights[stem] for stem in weights.keys() & stems) / total for stems in found]
    return np.array(shared)


def _stems(text: str) -> set[str]:
    return {word[:STEM] for word in re.findall(r"\w+", text.casefold())}


def _sentences(hits: Sequence[Hit]) -> list[_Sentence]:
    found: list[_Sentence] = []
    for hit in hits:
        bounds = [0, *sentence_starts(hit.text, 0, len(hit.text)), len(hit.text)]
        for start, end in pairwise(bounds):
            text = hit.text[start:end]
            start += len(text) - len(text.lstrip())
            end -= len(text) - len(text.rstrip())
            heading = hit.text[start:end].startswith("#")
            if not heading and len(hit.text[start:end].split()) >= MIN_WORDS:
                found.append(_Sentence(hit, start, end))
    return found[:MAX_SENTENCES]


def _citation(marker: str, sentence: _Sentence, score: float) -> Citation:
    hit = sentence.hit
    return Citation(
        marker=marker,
        document_id=hit.document_id,
        chunk_id=hit.chunk_id,
        title=hit.title,
        uri=hit.uri,
        quote=sentence.text,
        char_start=hit.char_start + sentence.start,
        char_end=hit.char_start + sentence.end,
        page=hit.page_first,
        score=round(score, 4),
    )


def _one_line(text: str) -> str:
    return " ".join(text.replace("|", " ").split())
