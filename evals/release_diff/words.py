"""A release diff in words: what the command line and the Dagster UI say alike."""

from collections.abc import Iterable, Mapping
from typing import Any

from rag_assets.platform.wording import counted

from .diff import ReleaseDiff
from .questions import QuestionChange

ARROWS = {"better": "▲", "worse": "▼", "same": "=", "chance": "≈", "few": "·"}
LEGEND = "▲ ▼ better or worse beyond chance, ≈ within chance, · too few questions"
NO_ACL = "(no ACL)"
# kind of change → how many documents saw it, in words
_COUNTED = {
    "added": "added",
    "content": "changed",
    "removed": "removed",
    "renamed": "renamed",
    "permissions": "with other readers",
    "moved": "moved",
    "metadata": "with other metadata",
    "passages": "divided otherwise",
}


def summary(diff: ReleaseDiff) -> str:
    """The difference in one line."""
    content = diff.index.content
    heading = f"Release {diff.before.id} → {diff.after.id}: "
    if diff.index.empty:
        return f"{heading}the same documents, made and searched alike."
    counts = content.counts()
    found = [f"{counts[kind]:,} {text}" for kind, text in _COUNTED.items() if counts[kind]]
    documents = ", ".join([*found, f"{content.unchanged:,} unchanged"])
    chunks = f"chunks +{content.chunks_added:,} −{content.chunks_removed:,}, {content.chunks_kept:,} kept"
    parts = [f"documents: {documents}", chunks, *_made(diff), *_quality(diff)]
    return heading + "; ".join(parts) + "."


def change_words(row: Mapping[str, Any]) -> str:
    """What a document saw.

    Args:
        row: of ``DOCUMENT_CHANGES``.
    """
    told = {
        "content": "changed",
        "renamed": f"renamed from {row['former_id']}",
        "permissions": f"readers {_readers(row['before_acl'])} → {_readers(row['after_acl'])}",
        "moved": "moved",
        "metadata": "other metadata",
        "passages": "divided otherwise",
    }
    return ", ".join(told.get(kind, kind) for kind in row["changes"])


def chunk_words(row: Mapping[str, Any]) -> str:
    """How many of a document's chunks came, went and stayed, e.g. ``+1 −2 =7``."""
    kept = row["chunks_kept"]
    added, removed = (row["after_chunks"] or 0) - kept, (row["before_chunks"] or 0) - kept
    parts = [
        f"+{added}" if added else "",
        f"−{removed}" if removed else "",
        f"={kept}" if kept else "",
    ]
    return " ".join(filter(None, parts))


def place(change: QuestionChange, side: str) -> str:
    """What came first, and where the right document was."""
    top, rank = getattr(change, f"top_{side}"), getattr(change, f"rank_{side}")
    parts = [top or "nothing found"]
    if rank != 1 and change.score_before is not None and change.rank_before != change.rank_after:
        parts.append(f"right one at {rank}" if rank else "right one not found")
    if getattr(change, f"abstained_{side}"):
        parts.append("abstained")
    return "; ".join(parts)


def _made(diff: ReleaseDiff) -> Iterable[str]:
    index = diff.index
    if index.configuration:
        yield (
            "configuration: "
            + ", ".join(str(change) for change in index.configuration[:3])
            + (f" and {len(index.configuration) - 3} more" if len(index.configuration) > 3 else "")
        )
    elif index.fingerprints:
        yield "another " + ", ".join(change.name for change in index.fingerprints)
    if index.parameters:
        differ = counted(
            len(index.parameters), "learned parameter differs", "learned parameters differ"
        )
        yield differ


def _quality(diff: ReleaseDiff) -> Iterable[str]:
    for verdict in ("worse", "better"):
        found = [item for item in diff.metrics if item.verdict == verdict]
        if found:
            yield f"{len(found)} of {counted(len(diff.metrics), 'metric')} {verdict}"
    if diff.compared:
        yield f"{len(diff.questions):,} of {counted(diff.compared, 'question')} with other top results"


def _readers(acl: Iterable[str] | None) -> str:
    return ", ".join(acl or []) or NO_ACL
