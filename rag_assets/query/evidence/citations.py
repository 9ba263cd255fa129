"""Checks an answer's citations: every marker points to something, and to the very words.

The order of imports: ``answerers.base`` (the protocol), ``evidence``, then the answerers themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from rag_assets.chunks.sentences import sentence_starts
from rag_assets.query.answer import Citation, Draft, Passage, Quote, SentenceSupport

from .cite import citation
from .markers import Run, find_runs, rewrite, without_dangling, written
from .sentences import Sentence, SentenceEncoder, sentences_of
from .support import BestSupport, support
from .words import content_stems


@dataclass(frozen=True)
class Checked:
    """An answer whose markers and citations belong together.

    Attributes:
        text: its markers are numbers of passages; of quotes (an extractive draft) ``[1]`` … ``[k]``
            in the order in which they appear.
        citations: one for each marker, in the order in which they first appear.
        support: of each sentence of the text that says something.
        removed: how many markers pointed to nothing and were removed.
    """

    text: str
    citations: list[Citation]
    support: list[SentenceSupport]
    removed: int


@dataclass(frozen=True)
class _Claim:
    """A sentence of the answer without its markers, and the passages that they point to."""

    text: str
    numbers: tuple[int, ...]


def check_citations(draft: Draft, passages: Sequence[Passage], encoder: SentenceEncoder) -> Checked:
    """Make markers and citations of a draft agree.

    Args:
        draft: an answer with markers that are numbers of passages. With ``quotes``, the n-th quote
            belongs to the n-th marker in the text; without, the best supporting sentence of each
            cited passage is found.
        passages: what the answerer read.
        encoder: compares sentences.
    """
    known = {passage.number: passage for passage in passages}
    if draft.quotes is not None:
        return _quoted(draft.text, draft.quotes, known)
    text, removed = without_dangling(draft.text, known)
    runs = find_runs(text, known)
    order = list(dict.fromkeys(number for run in runs for number in run.numbers))
    claims = _claims(text, runs)
    cited = [known[number] for number in order]
    pieces = [_pieces(passage) for passage in cited]
    texts = [[" ".join(piece.text.split()) for piece in found] for found in pieces]
    supports = support([claim.text for claim in claims], texts, encoder)
    citations = [
        _citation(passage, pieces[at], claims, [row[at] for row in supports])
        for at, passage in enumerate(cited)
    ]
    # the numbers stay those of the passages: they may have been shown already, token by token
    text = rewrite(text, runs, lambda run: written(run.numbers))
    positions = {number: at for at, number in enumerate(order)}
    return Checked(text, citations, _judged(claims, supports, positions), removed)


def _quoted(text: str, quotes: Sequence[Quote], known: Mapping[int, Passage]) -> Checked:
    """Number the quotes of an answerer that knows its spans; each is verbatim, so supported."""
    text, removed = without_dangling(text, {int(quote.marker) for quote in quotes} & set(known))
    runs = find_runs(text, known)
    left = list(quotes)
    citations: list[Citation] = []
    placed: dict[int, list[int]] = {}
    for run in runs:
        for number in run.numbers:
            quote = next((item for item in left if item.marker == str(number)), None)
            if quote is None:
                placed.setdefault(run.start, []).extend(_earlier(citations, known[number])[-1:])
                continue
            left.remove(quote)
            copies = known[number].copies
            citations.append(citation(quote, str(len(citations) + 1), copies))
            placed.setdefault(run.start, []).append(len(citations))
    claims = _claims(text, [replace(run, numbers=tuple(placed[run.start])) for run in runs])
    judged = [
        SentenceSupport(claim.text, [str(number) for number in claim.numbers], 1.0)
        for claim in claims
        if claim.numbers
    ]
    renumbered = rewrite(text, runs, lambda run: written(placed[run.start]))
    return Checked(renumbered, citations, judged, removed)


def _earlier(citations: Sequence[Citation], passage: Passage) -> list[int]:
    """Numbers of the citations so far that quote a passage."""
    chunks = {part.chunk_id for part in passage.parts}
    return [at for at, item in enumerate(citations, start=1) if item.chunk_id in chunks]


def _citation(
    passage: Passage,
    pieces: Sequence[Sentence],
    claims: Sequence[_Claim],
    supports: Sequence[BestSupport],
) -> Citation:
    """Cite the sentence of a passage that best supports what stands before its markers."""
    here = [s for claim, s in zip(claims, supports, strict=True) if passage.number in claim.numbers]
    best = max(here, key=lambda found: found.score, default=BestSupport(0.0, -1))
    if best.index < 0:
        quote = Quote("", passage.hit, 0, len(passage.hit.text), best.score)
    else:
        piece = pieces[best.index]
        quote = Quote("", piece.hit, piece.start, piece.end, best.score)
    return citation(quote, str(passage.number), passage.copies)


def _pieces(passage: Passage) -> list[Sentence]:
    return [sentence for part in passage.parts for sentence in sentences_of(part)]


def _judged(
    claims: Sequence[_Claim],
    supports: Sequence[Sequence[BestSupport]],
    positions: Mapping[int, int],
) -> list[SentenceSupport]:
    """Support of each sentence by the best passage it cites; by any cited one if it cites none."""
    judged = []
    for claim, row in zip(claims, supports, strict=True):
        numbers = claim.numbers or tuple(positions)
        score = max((row[positions[number]].score for number in numbers), default=0.0)
        markers = [str(number) for number in claim.numbers]
        judged.append(SentenceSupport(claim.text, markers, round(score, 4)))
    return judged


def _claims(text: str, runs: Sequence[Run]) -> list[_Claim]:
    """The sentences of an answer that say something, with the markers in them or right after."""
    plain, places = _without_runs(text, runs)
    bounds = [0, *sentence_starts(plain, 0, len(plain)), len(plain)]
    claims = []
    for start, end in pairwise(bounds):
        here: list[int] = []
        for place, run in zip(places, runs, strict=True):
            # a run belongs to what stands before it
            if start < place <= end or place == start == 0:
                here.extend(run.numbers)
        sentence = " ".join(plain[start:end].split())
        if content_stems(sentence) or here:
            claims.append(_Claim(sentence, tuple(dict.fromkeys(here))))
    return claims


def _without_runs(text: str, runs: Sequence[Run]) -> tuple[str, list[int]]:
    """The text without runs, and for each the end of what stands before it."""
    plain = ""
    places = []
    at = 0
    for run in runs:
        plain += text[at : run.start]
        plain = plain.rstrip(" \t") if plain.strip() else plain
        places.append(len(plain.rstrip()))
        at = run.end
    return plain + text[at:], places
