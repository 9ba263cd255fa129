"""Do the citations of an answer point to the evidence, and is all of the evidence cited?

Precision and recall of citations against annotated spans, as Gao et al., "Enabling Large Language
Models to Generate Text with Citations" (2023), have them, with spans instead of a judge: a citation
touches a piece of evidence when their spans share a character. Evidence without a quote is its
document as a whole.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from evals.golden_questions.resolve import SearchableText
from evals.spans import Span
from rag_assets.query.answer import Citation

NOWHERE: Span = (0, 0)


class Place(NamedTuple):
    """A span of a document; None: the document as a whole."""

    document_id: str
    span: Span | None


# document → the span of a text in it, or None where it does not occur or the document is not known
Find = Callable[[str, str], Span | None]


def finder(texts: Mapping[str, SearchableText]) -> Find:
    """Look texts up in the documents whose texts are known."""

    def find(document_id: str, text: str) -> Span | None:
        known = texts.get(document_id)
        return None if known is None else known.find(text)

    return find


def gold_places(relevant: Sequence[Mapping[str, Any]], find: Find) -> list[Place] | None:
    """Where the evidence of a question is, each piece once.

    Args:
        relevant: ``GOLDEN_QUESTIONS.relevant`` of one question.
        find: in the documents that are quoted.

    Returns:
        None where a quote is not in its document: nobody can say then what touches it.
    """
    places: list[Place] = []
    for item in relevant:
        if item["quote"] is None:
            places.append(Place(item["document_id"], None))
            continue
        span = find(item["document_id"], item["quote"])
        if span is None:
            return None
        places.append(Place(item["document_id"], span))
    return list(dict.fromkeys(places))


def cited_places(citation: Citation, find: Find) -> list[Place]:
    """Where a citation's quote stands: in its document and in the copies that it names.

    In a copy without the very words (a near-duplicate, or one whose text is not known) it stands
    nowhere: that touches the document as a whole and no span of it.
    """
    places = [Place(citation.document_id, (citation.char_start, citation.char_end))]
    return places + [Place(copy, find(copy, citation.quote) or NOWHERE) for copy in citation.copies]


def touches(cited: Sequence[Place], gold: Place) -> bool:
    """Whether one of the places of a citation shares a character with a piece of evidence."""
    return any(
        place.document_id == gold.document_id
        and (
            place.span is None
            or gold.span is None
            or max(place.span[0], gold.span[0]) < min(place.span[1], gold.span[1])
        )
        for place in cited
    )


def citation_precision(gold: Sequence[Place], cited: Sequence[Sequence[Place]]) -> float | None:
    """The share of the citations that touch a piece of evidence; None without citations.

    Args:
        gold: pieces of evidence.
        cited: the places of every citation.
    """
    if not cited:
        return None
    return sum(any(touches(places, piece) for piece in gold) for places in cited) / len(cited)


def citation_recall(gold: Sequence[Place], cited: Sequence[Sequence[Place]]) -> float | None:
    """The share of the pieces of evidence that a citation touches; None without evidence."""
    if not gold:
        return None
    return sum(any(touches(places, piece) for places in cited) for piece in gold) / len(gold)
