"""What comes closest to an answer where none is given: the best sentence of each of the top hits."""

from collections.abc import Sequence

import numpy as np

from rag_assets.query.answer import Citation, Hit, Quote

from .cite import citation
from .sentences import SentenceEncoder, score_sentences

MAX_HITS = 3


def closest(
    question: str,
    question_vector: np.ndarray,
    hits: Sequence[Hit],
    encoder: SentenceEncoder,
    limit: int = MAX_HITS,
) -> list[Citation]:
    """Cite the best sentence of each of the first hits.

    Args:
        question: the question.
        question_vector: float32, shape (dimensions,), of unit length.
        hits: best first.
        encoder: compares sentences with the question.
        limit: most citations.

    Returns:
        One citation a hit, in the order of the hits, markers from 1; a hit without any sentence is
        left out.
    """
    scored = score_sentences(question, question_vector, [[hit] for hit in hits[:limit]], encoder)
    best: dict[int, int] = {}
    for at in scored.best_first():
        best.setdefault(scored.sentences[at].passage, at)
    citations = []
    for number, passage in enumerate(sorted(best), start=1):
        sentence, score = scored.sentences[best[passage]], float(scored.scores[best[passage]])
        quote = Quote(str(number), sentence.hit, sentence.start, sentence.end, score)
        citations.append(citation(quote))
    return citations
