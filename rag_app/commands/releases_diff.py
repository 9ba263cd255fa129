"""``ragline releases diff``."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_app.output import AsJson, print_json, print_table
from rag_app.progress import counting_bars

if TYPE_CHECKING:
    from evals.release_diff.diff import ReleaseDiff
    from rag_assets.platform.platform import Platform
    from rag_assets.releases.passage_diff import Passage, PassageDiff
    from rag_assets.releases.registry import Release

COLOURS = {"-": "red", "+": "green", "@": "cyan"}


def diff(
    before: Annotated[
        str, typer.Argument(metavar="A", help="A release's id, 'live' or 'previous'.")
    ] = "previous",
    after: Annotated[
        str, typer.Argument(metavar="B", help="The release to compare it with.")
    ] = "live",
    document: Annotated[
        str, typer.Option("--document", help="Show the passages of this document that changed.")
    ] = "",
    ask: Annotated[
        bool, typer.Option("--ask", help="Ask both what no evaluation has asked of both.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="Most documents and questions shown; 0: all.")
    ] = 20,
    as_json: AsJson = False,
) -> None:
    """Compare two releases: documents, chunks, configuration, quality, questions."""
    from evals.release_diff.diff import diff_releases
    from rag_assets.platform.platform import Platform
    from rag_assets.releases.diff import find_release

    platform = Platform.load()
    old, new = find_release(platform, before), find_release(platform, after)
    if document:
        _show_document(platform, old, new, document, as_json=as_json)
        return
    with counting_bars(enabled=ask and not as_json) as progress:
        found = diff_releases(platform, old, new, ask=ask, progress=progress)
    most = limit or None
    if as_json:
        print_json(found.to_dict(most))
    else:
        _show(found, most)


def _show(found: "ReleaseDiff", limit: int | None) -> None:
    from evals.release_diff.words import change_words, chunk_words, summary

    _print(summary(found))
    content = found.index.content
    rows = [
        (row["document_id"], change_words(row), chunk_words(row))
        for row in content.most_important(limit).iter_rows(named=True)
    ]
    _table("Documents", ["document", "change", "chunks"], rows, content.changes.height)
    _show_making(found)
    _show_metrics(found)
    _show_questions(found, limit)
    for note in found.notes:
        _print(f"Not compared: {note}.")


def _show_making(found: "ReleaseDiff") -> None:
    from rag_assets.releases.settings_diff import words

    index = found.index
    # fingerprints say nothing that the settings do not say better
    made = index.configuration or index.fingerprints
    title = "Configuration" if index.configuration else "Fingerprints"
    for name, changes in ((title, made), ("Learned parameters", index.parameters)):
        rows = [(change.name, words(change.before), words(change.after)) for change in changes]
        _table(name, ["", "before", "after"], rows)


def _show_metrics(found: "ReleaseDiff") -> None:
    from evals.release_diff.words import ARROWS, LEGEND

    rows = [
        (
            change.dataset,
            change.metric,
            change.questions,
            f"{change.before:.3f}",
            f"{change.after:.3f}",
            f"{ARROWS[change.verdict]} {change.difference:+.3f}",
            f"{change.low:+.3f} to {change.high:+.3f}",
            "" if change.same_questions else "the set has changed; questions of both",
        )
        for change in found.metrics
    ]
    columns = ["set", "metric", "questions", "before", "after", "difference", "interval", ""]
    _table(f"Quality ({LEGEND})", columns, rows)


def _show_questions(found: "ReleaseDiff", limit: int | None) -> None:
    from evals.release_diff.words import place

    rows = [
        (
            change.dataset,
            change.question,
            place(change, "before"),
            place(change, "after"),
            f"{-change.damage:+.3f}",
        )
        for change in found.questions[:limit]
    ]
    columns = ["set", "question", "before", "after", "score"]
    _table("Questions, the most damage first", columns, rows, len(found.questions))


def _show_document(
    platform: "Platform", old: "Release", new: "Release", document: str, *, as_json: bool
) -> None:
    from rag_assets.releases.diff import diff_document

    found = diff_document(platform, old, new, document)
    if as_json:
        print_json(found.to_dict())
        return
    _show_passages(found)


def _show_passages(found: "PassageDiff") -> None:
    from rich.console import Console
    from rich.text import Text

    if not found.unified and not found.removed and not found.added:
        _print(f"{found.after_id} says the same in both releases.")
        return
    rows = [*_listed("−", found.removed), *_listed("+", found.added)]
    _table("Passages", ["", "place", "headings", "characters"], rows)
    _print(f"{len(found.removed)} went, {len(found.added)} came, {found.kept} stayed.")
    console = Console(highlight=False)
    for line in found.unified.splitlines():
        # what a document says is shown, never read as markup
        console.print(Text(line, COLOURS.get(line[:1], "")), soft_wrap=True)


def _listed(sign: str, passages: "Sequence[Passage]") -> Iterator[tuple[Any, ...]]:
    for passage in passages:
        yield sign, passage.ordinal, " › ".join(passage.headings), len(passage.text)


def _table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], total: int | None = None
) -> None:
    """A table, unless it is empty, and how many more rows there are."""
    if not rows:
        return
    print_table(title, columns, rows)
    if total is not None and total > len(rows):
        _print(f"and {total - len(rows):,} more; --limit 0 shows all.")


def _print(text: str) -> None:
    from rich.console import Console
    from rich.text import Text

    Console(highlight=False).print(Text(text))
