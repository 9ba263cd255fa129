"""The extractive answerer: quotes the sentences that answer, with their spans; needs no LLM."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rag_assets.chunks.sentences import sentence_starts

from .answer import Citation, Hit

if TYPE_CHECKING:
    from rag_assets.encoders import Encoder

MAX_PASSAGES = 5
MAX_SENTENCES = 60
QUOTED = 3
# a passage's own rank counts beside the likeness of its sentence to the question
PASSAGE_SHARE = 0.35
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
    question_vector: np.ndarray, hits: Sequence[Hit], encoder: "Encoder"
) -> tuple[str, list[Citation]]:
    """Compose an answer of verbatim sentences.

    Args:
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
    likeness = encoder.encode([sentence.text for sentence in sentences]) @ question_vector
    passage = np.array([sentence.hit.score for sentence in sentences])
    scores = (1 - PASSAGE_SHARE) * likeness + PASSAGE_SHARE * passage
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


def _sentences(hits: Sequence[Hit]) -> list[_Sentence]:
    found: list[_Sentence] = []
    for hit in hits:
        bounds = [0, *sentence_starts(hit.text, 0, len(hit.text)), len(hit.text)]
        for start, end in zip(bounds, bounds[1:], strict=False):
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
