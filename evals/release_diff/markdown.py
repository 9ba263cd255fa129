"""A release diff as Markdown, for the Dagster UI: ids, names and numbers, no text of documents."""

from collections.abc import Sequence

from evals.gates.markdown import escaped, table
from rag_assets.releases.settings_diff import Change, words

from .diff import ReleaseDiff
from .metrics import MetricChange
from .questions import QuestionChange
from .words import ARROWS, change_words, chunk_words, place, summary

SHOWN = 20


def diff_markdown(diff: ReleaseDiff, limit: int = SHOWN) -> str:
    """What a person wants to know of a difference, at most ``limit`` documents and questions."""
    parts = [summary(diff)]
    parts += _documents(diff, limit)
    parts += _changes("Configuration", diff.index.configuration)
    if not diff.index.configuration:
        parts += _changes("Fingerprints", diff.index.fingerprints, longest=16)
    parts += _changes("Learned parameters", diff.index.parameters)
    parts += _metrics(diff.metrics)
    parts += _questions(diff.questions, limit)
    if diff.notes:
        parts += ["### Not compared", "\n".join(f"- {escaped(note)}" for note in diff.notes)]
    return "\n\n".join(parts)


def _documents(diff: ReleaseDiff, limit: int) -> list[str]:
    content = diff.index.content
    if content.empty:
        return []
    rows = content.most_important(limit).iter_rows(named=True)
    shown = table(
        ["document", "change", "chunks"],
        [
            [escaped(row["document_id"]), escaped(change_words(row)), chunk_words(row)]
            for row in rows
        ],
    )
    return ["### Documents", shown, *_more(content.changes.height, limit)]


def _changes(title: str, changes: Sequence[Change], longest: int = 80) -> list[str]:
    if not changes:
        return []
    rows = [
        [escaped(change.name), *(escaped(words(value), longest) for value in change[1:])]
        for change in changes
    ]
    return [f"### {title}", table(["", "before", "after"], rows)]


def _metrics(changes: Sequence[MetricChange]) -> list[str]:
    if not changes:
        return []
    rows = [
        [
            escaped(change.dataset),
            escaped(change.metric),
            str(change.questions),
            f"{change.before:.3f}",
            f"{change.after:.3f}",
            f"{ARROWS[change.verdict]} {change.difference:+.3f}",
            f"{change.low:+.3f} to {change.high:+.3f}",
        ]
        for change in changes
    ]
    header = ["set", "metric", "questions", "before", "after", "difference", "interval"]
    return ["### Quality", table(header, rows)]


def _questions(changes: Sequence[QuestionChange], limit: int) -> list[str]:
    if not changes:
        return []
    rows = [
        [
            escaped(change.dataset),
            escaped(change.question, 120),
            *(escaped(cell) for cell in (place(change, "before"), place(change, "after"))),
            f"{-change.damage:+.3f}",
        ]
        for change in changes[:limit]
    ]
    header = ["set", "question", "before", "after", "score"]
    return ["### Questions", table(header, rows), *_more(len(changes), limit)]


def _more(total: int, limit: int) -> list[str]:
    return [f"and {total - limit:,} more"] if total > limit else []
