"""What tells whether the documents answer a question: the inputs of the abstention model.

Every feature exists for every question and script; absent things have neutral values.
"""

from collections.abc import Sequence

import numpy as np

from rag_assets.query.answer import Hit

from .answer_type import expected_type, type_fit
from .sentences import SIGNALS, ScoredSentences, SentenceEncoder, score_sentences
from .support import describe
from .words import content_stems, names_of, negations, numbers_of

MAX_HITS = 5


def features(
    question: str, question_vector: np.ndarray, hits: Sequence[Hit], encoder: SentenceEncoder
) -> dict[str, float]:
    """Describe the evidence for an answer.

    Args:
        question: the question.
        question_vector: float32, shape (dimensions,), of unit length.
        hits: best first; the first ``MAX_HITS`` are looked at.
        encoder: compares sentences; the same sentences as the extractive answerer's.

    Returns:
        Name → a finite number.
    """
    hits = hits[:MAX_HITS]
    scored = score_sentences(question, question_vector, [[hit] for hit in hits], encoder)
    return {
        **_retrieval(question, hits),
        **_sentences(scored),
        **_agreement(question, scored, hits),
    }


def _retrieval(question: str, hits: Sequence[Hit]) -> dict[str, float]:
    dense = sorted((hit.dense_score or 0.0 for hit in hits), reverse=True) or [0.0]
    words = sorted((hit.full_text_score or 0.0 for hit in hits), reverse=True) or [0.0]
    fused = [hit.score for hit in hits] or [0.0]
    asked = max(1, len(set(content_stems(question))))
    return {
        "dense": dense[0],
        "dense_margin": dense[0] - float(np.mean(dense)),
        "full_text": words[0] / asked,
        "full_text_margin": (words[0] - float(np.mean(words))) / asked,
        "fused": fused[0],
        "fused_margin": fused[0] - float(np.mean(fused)),
    }


def _sentences(scored: ScoredSentences) -> dict[str, float]:
    names = ("likeness", "coverage", "context_coverage")
    if not scored.sentences:
        return {"score": -12.0, "score_margin": 0.0, "likeness_margin": 0.0} | {
            f"{kind}_{name}": 0.0 for kind in ("best", "most") for name in names
        }
    order = scored.best_first()
    odds = np.log(scored.scores / (1 - scored.scores))
    best = order[0]
    columns = {name: scored.signals[:, SIGNALS.index(name)] for name in names}
    top = odds[order[:5]]
    return {
        "score": float(top[0]),
        "score_margin": float(top[0] - top.mean()),
        "likeness_margin": float(np.max(columns["likeness"]) - np.mean(columns["likeness"])),
        **{f"best_{name}": float(column[best]) for name, column in columns.items()},
        **{f"most_{name}": float(column.max()) for name, column in columns.items()},
    }


def _agreement(question: str, scored: ScoredSentences, hits: Sequence[Hit]) -> dict[str, float]:
    """What the question has and the best sentence, its passage, or all passages lack."""
    order = scored.best_first()
    sentence = scored.sentences[order[0]] if order else None
    text = sentence.text if sentence else ""
    passage = _read(sentence.hit) if sentence else ""
    everything = " ".join(_read(hit) for hit in hits)
    asked = describe(question)
    heaviest = max(scored.rarity, key=lambda stem: scored.rarity[stem], default="")
    kind = expected_type(question)
    in_passage, anywhere = set(content_stems(passage)), set(content_stems(everything))
    return {
        "missing_in_passage": _missing(set(scored.rarity), in_passage, scored.rarity),
        "missing_anywhere": _missing(set(scored.rarity), anywhere, scored.rarity),
        "rarest_missing": float(heaviest not in set(content_stems(text))) if heaviest else 0.0,
        "names_missing": _lacking(set(asked.names), set(content_stems(text)) | names_of(text)),
        "names_missing_in_passage": _lacking(set(asked.names), in_passage),
        "numbers_missing": _lacking(set(asked.numbers), numbers_of(passage)),
        "negation_differs": float(asked.denies != (negations(text) % 2 == 1)),
        "type_fit": type_fit(kind, question, text),
    }


def _read(hit: Hit) -> str:
    return " ".join((hit.title, *hit.heading_path, hit.text))


def _missing(asked: set[str], found: set[str], rarity: dict[str, float]) -> float:
    total = sum(rarity.values())
    return sum(rarity[stem] for stem in asked - found) / total if total else 0.0


def _lacking(asked: set[str], found: set[str]) -> float:
    return len(asked - found) / len(asked) if asked else 0.0
