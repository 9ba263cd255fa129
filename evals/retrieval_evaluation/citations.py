"""Do the citations of an answer contain the page that holds it?"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from rag_assets.query.access import Caller
from rag_assets.query.answer import Citation, Hit
from rag_assets.query.engine import QueryEngine

from .retrieve import Progress

CUTOFFS = (1, 3, 5)

Place = tuple[str, int]  # document_id, page


def gold_pages(questions: pl.DataFrame) -> dict[str, set[Place]]:
    """Question → pages that hold its answer; only questions whose set names pages."""
    found: dict[str, set[Place]] = {}
    for question_id, relevant in questions.select("question_id", "relevant").rows():
        pages = {(item["document_id"], item["page"]) for item in relevant if item["page"]}
        if pages:
            found[question_id] = pages
    return found


def first_rank(gold: set[Place], places: Sequence[Iterable[Place]]) -> int | None:
    """The rank, from 1, of the first of some citations that is on a gold page."""
    for rank, cited in enumerate(places, start=1):
        if not gold.isdisjoint(cited):
            return rank
    return None


def hit_places(hit: Hit) -> list[Place]:
    """The pages of a passage."""
    if hit.page_first is None:
        return []
    last = hit.page_last or hit.page_first
    return [(hit.document_id, page) for page in range(hit.page_first, last + 1)]


def citation_places(citation: Citation) -> list[Place]:
    """The pages of the passage that a citation shows."""
    return [(citation.document_id, page) for page in citation.pages]


def quote_places(citation: Citation) -> list[Place]:
    """The page on which a citation's quote begins."""
    return [(citation.document_id, citation.page)] if citation.page else []


def shares_at(ranks: Sequence[int | None]) -> dict[str, float]:
    """Share of questions with a gold page among the first 1, 3 and 5; keys ``gold_page@<n>``."""
    return {
        f"gold_page@{cutoff}": sum(rank is not None and rank <= cutoff for rank in ranks)
        / len(ranks)
        for cutoff in CUTOFFS
    }


def evaluate_citations(
    engine: QueryEngine,
    questions: pl.DataFrame,
    callers: Mapping[str, Caller],
    progress: Progress,
) -> dict[str, Any] | None:
    """Ask, without an LLM, every question whose pages are known; None where none are.

    Returns:
        ``gold_page@<n>``: share of questions with a gold page among the pages of the passages that
        the first n citations show; the same for the very pages on which the ``quotes`` begin, and
        for the first n ``passages`` found; questions; abstained, whose citations count as missing.
    """
    gold = gold_pages(questions)
    if not gold:
        return None
    texts = dict(questions.select("question_id", "question").rows())
    cited, quoted, retrieved, abstained = [], [], [], 0
    for done, (question_id, pages) in enumerate(gold.items(), start=1):
        caller = callers[question_id]
        hits = engine.search(texts[question_id], caller)
        retrieved.append(first_rank(pages, [hit_places(hit) for hit in hits]))
        answer = engine.ask(texts[question_id], caller, answerer="extractive")
        cited.append(first_rank(pages, [citation_places(item) for item in answer.citations]))
        quoted.append(first_rank(pages, [quote_places(item) for item in answer.citations]))
        abstained += answer.abstained
        progress("answering", done, len(gold))
    return {
        **shares_at(cited),
        "quotes": shares_at(quoted),
        "passages": shares_at(retrieved),
        "questions": len(gold),
        "abstained": abstained,
    }
