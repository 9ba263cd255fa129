"""Sources of an answer as Markdown, for clients that show nothing but a text."""

import re

from rag_assets.query.answer import Answer, Citation

SHOWN = 160  # characters of a quote
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|])")


def notes_of(answer: Answer) -> str:
    """What is put behind an answer's text; empty where it cites nothing.

    One line a marker: ``[1]``, the title, the page, the document's id. When nothing supports an
    answer, the closest passages are named instead.
    """
    if answer.abstained:
        lines = [f"- {_place(item)}: “{_short(item.quote)}”" for item in answer.closest]
        heading = "**Closest passages**"
    else:
        lines = [f"- [{item.marker}] {_place(item)}" for item in answer.citations]
        heading = "**Sources**"
    return "\n\n" + "\n".join([heading, "", *lines]) if lines else ""


def _place(citation: Citation) -> str:
    page = f", page {citation.page}" if citation.page else ""
    title = _escaped(citation.title or citation.document_id)
    return f"{title}{page} (`{citation.document_id.replace('`', '')}`)"


def _short(quote: str) -> str:
    text = " ".join(quote.split())
    return _escaped(text if len(text) <= SHOWN else text[: SHOWN - 1] + "…")


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
