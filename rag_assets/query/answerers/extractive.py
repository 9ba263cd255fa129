"""The extractive answerer: quotes the sentences that answer, with their spans; needs no LLM."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from rag_assets.query.answer import Quote
from rag_assets.query.evidence.pages import pages_of
from rag_assets.query.evidence.readable import readable
from rag_assets.query.evidence.sentences import ScoredSentences, Sentence, score_sentences
from rag_assets.query.evidence.words import content_stems

from .base import AnswerRequest, Draft, Token

if TYPE_CHECKING:
    from rag_assets.encoders import Encoder

Page = tuple[str, int]  # document_id, page

MAX_QUOTES = 5
# a sentence is quoted when it is this probable an answer beside the best one
LEAST_SHARE = 0.1
# a sentence already quoted from a passage, or from its pages, makes room for another passage
SAME_PASSAGE = 0.5
# two sentences that share this much of their words say the same
SAME_WORDS = 0.8
# below this probability of the best sentence a line says that the evidence is weak
WEAK = 0.05
WEAK_EVIDENCE = "The documents may not answer this; what comes closest:"
_CHARACTERS_A_TOKEN = 4
_UNSPACED = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")


class ExtractiveAnswerer:
    """See the protocol in ``base.py``.

    Args:
        encoder: compares sentences with the question.
    """

    name = "extractive"

    def __init__(self, encoder: "Encoder") -> None:
        self._encoder = encoder

    def warm_up(self) -> None:
        """Load the encoder."""
        self._encoder.warm_up()

    def count_tokens(self, text: str) -> int:
        """An estimate, on the high side: nothing is ever cut, so no tokenizer is worth loading."""
        unspaced = len(_UNSPACED.findall(text))
        return max(len(text.split()), -(-(len(text) - unspaced) // _CHARACTERS_A_TOKEN)) + unspaced

    def answer(self, request: AnswerRequest) -> Iterator[Token | Draft]:
        """Yield one sentence after the other, then the draft with the spans they were taken from."""
        parts = [passage.parts for passage in request.passages]
        numbers = [passage.number for passage in request.passages]
        scored = score_sentences(request.question, request.question_vector, parts, self._encoder)
        chosen = choose(scored)
        weak = bool(chosen) and float(scored.scores[chosen].max()) < WEAK
        spoken: list[str] = []
        quotes: list[Quote] = []
        for piece in _pieces(scored, chosen, weak=weak):
            spoken.append(piece.text if not spoken else piece.separator + piece.text)
            yield Token(spoken[-1])
            if piece.index is not None:
                sentence = scored.sentences[piece.index]
                marker = str(numbers[sentence.passage])
                score = round(float(scored.scores[piece.index]), 4)
                quotes.append(Quote(marker, sentence.hit, sentence.start, sentence.end, score))
                spoken.append(f" [{marker}]")
                yield Token(spoken[-1])
        yield Draft("".join(spoken), tuple(quotes), weak_evidence=weak)


def choose(scored: ScoredSentences, most: int = MAX_QUOTES) -> list[int]:
    """Which sentences to quote: the best, and others while they are nearly as probable.

    Returns:
        Positions, grouped by passage: passages by their best sentence, sentences in reading order.
    """
    stems = [set(content_stems(sentence.text)) for sentence in scored.sentences]
    chosen: list[int] = []
    left = scored.best_first()
    while left and len(chosen) < most:
        best = max(left, key=partial(_worth, scored, chosen)) if chosen else left[0]
        left.remove(best)
        if chosen and scored.scores[best] < LEAST_SHARE * scored.scores[chosen[0]]:
            continue
        if all(_overlap(stems[best], stems[other]) < SAME_WORDS for other in chosen):
            chosen.append(best)
    order = list(dict.fromkeys(scored.sentences[at].passage for at in chosen))
    return sorted(chosen, key=lambda at: (order.index(scored.sentences[at].passage), at))


def _worth(scored: ScoredSentences, chosen: Sequence[int], at: int) -> float:
    """What a further quote adds: its sentence and its passage count alike, what is shown less.

    The best sentence is found by the sentences' own scores. Of further evidence the search is the
    better judge: over the 50 questions of a set of insurance handbooks the gold page is among the
    pages of five citations for .74 of them, and for .72 by the sentences alone.
    """
    sentence = scored.sentences[at]
    passage = max(0.0, sentence.hit.score)
    best_passage = max((item.hit.score for item in scored.sentences), default=0.0)
    best = float(scored.scores.max())
    value = float(scored.scores[at]) / best + (passage / best_passage if best_passage > 0 else 0.0)
    used = sum(scored.sentences[other].passage == sentence.passage for other in chosen)
    shown: set[Page] = set().union(*(_pages(scored.sentences[other]) for other in chosen))
    pages = _pages(sentence)
    return value * SAME_PASSAGE ** (used or int(bool(pages) and pages <= shown))


def _pages(sentence: Sentence) -> set[Page]:
    """The pages of a sentence's chunk; a reader who is sent to one of them sees the others there."""
    return {(sentence.hit.document_id, page) for page in pages_of(sentence.hit)}


@dataclass(frozen=True)
class _Piece:
    """A piece of the answer: a quoted sentence, or a line of our own where there is no index."""

    text: str
    separator: str = " "
    index: int | None = None


def _pieces(scored: ScoredSentences, chosen: Sequence[int], *, weak: bool) -> Iterator[_Piece]:
    listed = any(scored.sentences[at].kind != "prose" for at in chosen)
    if weak:
        yield _Piece(WEAK_EVIDENCE)
    for before, at in pairwise([None, *chosen]):
        assert at is not None
        sentence = scored.sentences[at]
        together = before is not None and scored.sentences[before].passage == sentence.passage
        prefix = "- " if sentence.kind != "prose" else ""
        separator = "\n" if prefix else " " if together and not listed else "\n\n"
        yield _Piece(prefix + readable(sentence), separator, at)


def _overlap(left: set[str], right: set[str]) -> float:
    """Shared words by the shorter text's words; 1 where one has none."""
    smaller = min(len(left), len(right))
    return len(left & right) / smaller if smaller else 1.0
