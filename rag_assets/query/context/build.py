"""From the hits of a search to the passages that an answerer reads."""

from collections.abc import Sequence
from dataclasses import dataclass

from rag_assets.platform.settings import QuerySettings
from rag_assets.query.answer import Hit, Passage

from .budget import CountTokens, fit
from .duplicates import collapse
from .neighbours import Fetch, widen
from .order import numbered
from .relevance import relevant


@dataclass(frozen=True)
class Context:
    """What an answerer reads, and what had to be done for it to fit.

    Attributes:
        passages: in reading order, numbered from 1.
        cut: the best passage alone was over the budget and ends early; worth a word to the reader.
        left_out: hits that stand in no passage because the budget was spent.
    """

    passages: list[Passage]
    cut: bool = False
    left_out: int = 0


def build_context(
    hits: Sequence[Hit],
    settings: QuerySettings,
    fetch: Fetch,
    count_tokens: CountTokens,
    *,
    neighbours: int,
    budget: int,
    limit: int | None = None,
) -> Context:
    """Choose, widen, fit and order the evidence for an answer.

    Args:
        hits: best first, restricted to what the caller may read.
        settings: ``min_relevance`` and ``near_duplicate`` are used.
        fetch: see ``neighbours.Fetch``; restricted to the caller's rights and filter as the search.
        count_tokens: of the answerer.
        neighbours: chunks before and after each hit.
        budget: most tokens of the passages' texts; what a prompt adds to them is not in it.
        limit: most hits that are not copies of one another; None: all.
    """
    found = collapse(relevant(hits, settings.min_relevance), settings.near_duplicate)[:limit]
    fitted = fit(widen(found, neighbours, fetch), budget, count_tokens)
    kept = {part.chunk_id for passage in fitted.passages for part in passage.parts}
    left_out = sum(one.hit.chunk_id not in kept for one in found)
    return Context(numbered(fitted.passages), fitted.cut, left_out)
