"""One document in two releases, passage by passage."""

import difflib
from dataclasses import dataclass
from typing import Any

import polars as pl

CONTEXT_LINES = 3
# what has to be read of the document's chunks
PASSAGES = ("chunk_id", "document_id", "ordinal", "heading_path", "text")


@dataclass(frozen=True)
class Passage:
    """One passage that only one of the two has.

    Attributes:
        ordinal: its place in the document, from 0.
        headings: above it, the outermost first.
    """

    ordinal: int
    headings: tuple[str, ...]
    text: str

    def to_dict(self) -> dict[str, Any]:
        return {"ordinal": self.ordinal, "headings": list(self.headings), "text": self.text}


@dataclass(frozen=True)
class PassageDiff:
    """The difference of two versions of a document.

    Attributes:
        before_id, after_id: its id in either; None where it is not served.
        removed, added: the passages that went and came, in their order.
        kept: how many are in both.
        unified: all of it as a unified diff of text; empty where nothing differs.
    """

    before_id: str | None
    after_id: str | None
    removed: tuple[Passage, ...]
    added: tuple[Passage, ...]
    kept: int
    unified: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "before_id": self.before_id,
            "after_id": self.after_id,
            "removed": [passage.to_dict() for passage in self.removed],
            "added": [passage.to_dict() for passage in self.added],
            "kept": self.kept,
            "unified": self.unified,
        }


def passage_diff(
    before: pl.DataFrame, after: pl.DataFrame, names: tuple[str, str] = ("before", "after")
) -> PassageDiff:
    """Compare the passages of one document in two versions by heading and text.

    Args:
        before, after: columns ``PASSAGES``; no rows where the version does not serve it.
        names: of the two versions, for the head of the unified diff.
    """
    old, new = _passages(before), _passages(after)
    matcher = difflib.SequenceMatcher(None, _keys(old), _keys(new), autojunk=False)
    removed: list[Passage] = []
    added: list[Passage] = []
    for kind, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if kind != "equal":
            removed += old[old_from:old_to]
            added += new[new_from:new_to]
    ids = _id(before), _id(after)
    head, head_after = (
        f"{name}: {document or '(not served)'}" for name, document in zip(names, ids, strict=True)
    )
    lines = difflib.unified_diff(
        _lines(old), _lines(new), head, head_after, n=CONTEXT_LINES, lineterm=""
    )
    return PassageDiff(
        ids[0], ids[1], tuple(removed), tuple(added), len(old) - len(removed), "\n".join(lines)
    )


def _passages(rows: pl.DataFrame) -> list[Passage]:
    ordered = rows.sort("ordinal").select("ordinal", "heading_path", "text")
    return [Passage(place, tuple(path or ()), text) for place, path, text in ordered.iter_rows()]


def _keys(passages: list[Passage]) -> list[tuple[tuple[str, ...], str]]:
    return [(passage.headings, passage.text) for passage in passages]


def _lines(passages: list[Passage]) -> list[str]:
    """The text line by line, each run of passages under its headings."""
    lines: list[str] = []
    above: tuple[str, ...] | None = None
    for passage in passages:
        if passage.headings != above:
            lines.append(f"§ {' › '.join(passage.headings)}".rstrip())
            above = passage.headings
        lines += passage.text.splitlines()
    return lines


def _id(rows: pl.DataFrame) -> str | None:
    return rows["document_id"][0] if rows.height else None
