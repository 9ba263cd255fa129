"""An answer in the log without a document that was forgotten: a pure function of its row."""

from collections.abc import Mapping, Sequence
from typing import Any

from rag_assets.erasure.redaction import FORGOTTEN, Redaction

# what stays of a passage or a citation of the document: that there was one
KEPT_OF_PASSAGE = ("number", "score")
KEPT_OF_CITATION = ("marker", "score")
_NOWHERE = {"char_start": 0, "char_end": 0, "page": None}

Row = Mapping[str, Any]


def names_document(row: Row, document_id: str) -> bool:
    """Whether an answer read, cites or mentions a document."""
    items = (*row["passages"], *row["citations"])
    return any(
        item["document_id"] == document_id or document_id in item.get("copies", [])
        for item in items
    )


def without_document(row: Row, document_id: str, redaction: Redaction, *, named: bool) -> Row:
    """A row of ``answers`` without a document.

    An answer that knew the document goes as a whole, with the sentences of it that were judged: it
    speaks of all that it was made from. That there was an answer, when, by what and at what cost
    stays, and so do the citations of other documents. A question stays, unless it repeats the document.

    Args:
        row: of ``answers``.
        document_id: of the document.
        redaction: of its phrases.
        named: whether the answer is known to have read, cited or mentioned it.

    Returns:
        the columns that change.
    """
    new = dict(row)
    if named or names_document(row, document_id):
        new |= {
            "answer": None,
            "answer_sha256": "",
            "citations": [_citation(item, document_id) for item in row["citations"]],
            "support": [_support(item) for item in row["support"]],
            "passages": [_passage(item, document_id) for item in row["passages"]],
        }
    for name in ("question", "answer"):
        if new[name] is not None and redaction.has(new[name]):
            new |= {name: None, f"{name}_sha256": ""}
    texts = (
        "filter",
        "citations",
        "support",
        "passages",
        "degraded",
        "parameters",
        "error",
        "task",
    )
    values = redaction.values([new[name] for name in texts])
    new |= dict(zip(texts, values, strict=True))
    return {name: value for name, value in new.items() if value != row[name]}


def _passage(item: Row, document_id: str) -> Row:
    if item["document_id"] != document_id:
        return item
    return {**_kept(item, KEPT_OF_PASSAGE), **_nowhere()}


def _citation(item: Row, document_id: str) -> Row:
    if item["document_id"] == document_id:
        return {**_kept(item, KEPT_OF_CITATION), **_nowhere()}
    if document_id in item.get("copies", []):
        return {**item, "copies": [name for name in item["copies"] if name != document_id]}
    return item


def _support(item: Row) -> Row:
    return {name: item[name] for name in item if name not in ("sentence", "sentence_sha256")}


def _kept(item: Row, names: Sequence[str]) -> dict[str, Any]:
    return {name: item[name] for name in names if name in item}


def _nowhere() -> dict[str, Any]:
    """A place that says no more than that a document was forgotten."""
    return {"document_id": FORGOTTEN, "chunk_id": "", "content_sha256": "", **_NOWHERE}
