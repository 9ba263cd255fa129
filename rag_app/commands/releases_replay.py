"""``ragline releases replay``."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_app.output import AsJson, print_json, print_table
from rag_app.progress import counting_bars

if TYPE_CHECKING:
    from evals.replay.questions import RealQuestions
    from evals.replay.replay import Replayed
    from rag_assets.platform.platform import Platform
    from rag_assets.releases.registry import Release

SHOWN = 20
DOCUMENTS_SHOWN = 3


def replay(
    release: Annotated[int, typer.Argument(help="The release that is asked.")],
    against: Annotated[
        int, typer.Option("--against", help="The release before it; default the live one.")
    ] = 0,
    days: Annotated[
        int, typer.Option("--days", min=0, help="How far back; default gates.replay_days.")
    ] = 0,
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="Most questions; default gates.replay_questions.")
    ] = 0,
    answerer: Annotated[str, typer.Option("--answerer", help="extractive or llm.")] = "extractive",
    as_json: AsJson = False,
) -> None:
    """Ask real questions of the last days again, and show what changes for people."""
    from evals.replay.questions import NothingToReplay, real_questions
    from evals.replay.replay import replay as run
    from rag_assets.platform.platform import Platform

    platform = Platform.load()
    mine, theirs = _releases(platform, release, against)
    gates = platform.settings.gates
    asked = real_questions(
        platform, days=days or gates.replay_days, limit=limit or gates.replay_questions
    )
    if asked.why:
        raise NothingToReplay(
            f"There is nothing to replay: {asked.why}.",
            "Look further back with --days, or ask something first ('ragline ask').",
        )
    with counting_bars(enabled=not as_json) as progress:
        replayed = run(
            platform, mine, theirs, asked.questions, answerer=answerer, progress=progress
        )
    if as_json:
        print_json(_as_json(replayed, asked))
    else:
        _show(replayed, asked)


def _releases(platform: "Platform", release: int, against: int) -> "tuple[Release, Release]":
    """The release and the one it is compared with, both readable."""
    from evals.replay.questions import NothingToReplay
    from rag_assets.platform.errors import NoRelease
    from rag_assets.releases.opening import require_readable
    from rag_assets.releases.registry import Registry

    registry = Registry(platform.database)
    live = registry.live()
    mine = registry.get(release)
    theirs = registry.get(against) if against else live
    for number, found in ((release, mine), (against, theirs)):
        if found is None:
            named = f"There is no release {number}." if number else "Nothing has been released yet."
            raise NoRelease(named, "See 'ragline releases list'.")
    assert mine is not None
    assert theirs is not None
    if mine.id == theirs.id:
        raise NothingToReplay(
            f"Release {mine.id} would be compared with itself.", "Name another one with --against."
        )
    for found in (mine, theirs):
        require_readable(platform, found)
    return mine, theirs


def _as_json(replayed: "Replayed", asked: "RealQuestions") -> dict[str, Any]:
    return {
        "release": replayed.candidate,
        "against": replayed.baseline,
        **replayed.summary,
        "distinct": asked.distinct,
        "results": replayed.rows.to_dicts(),
    }


def _show(replayed: "Replayed", asked: "RealQuestions") -> None:
    """The numbers in a few sentences, then the questions that changed most."""
    from evals.replay.changes import changes, figure
    from evals.replay.summary import most_changed

    typer.echo("\n".join(_sentences(replayed, asked)))
    changed = most_changed(replayed.rows, SHOWN)
    if changed.is_empty():
        typer.echo("Every question finds and answers what it did before.")
        return
    print_table(
        f"Most changed: release {replayed.candidate} against {replayed.baseline}",
        ["question", "overlap", "what changed", "found before", "found now"],
        [
            (
                row["question"],
                figure(row["overlap"]),
                "; ".join(changes(row)),
                ", ".join(row["baseline_documents"][:DOCUMENTS_SHOWN]),
                ", ".join(row["documents"][:DOCUMENTS_SHOWN]),
            )
            for row in changed.iter_rows(named=True)
        ],
    )


def _sentences(replayed: "Replayed", asked: "RealQuestions") -> list[str]:
    summary = replayed.summary
    lines = [
        f"{summary['questions']} of {asked.distinct} distinct questions asked again; "
        f"{summary['errors']} ended in an error."
    ]
    if not summary["compared"]:
        return lines
    low, high = summary["overlap_interval"]
    now, before = summary["latency_ms"]["now"], summary["latency_ms"]["before"]
    return [
        *lines,
        f"Overlap of what is found {summary['overlap']:.3f} ({low:.3f} to {high:.3f}), of documents "
        f"alone {summary['document_overlap']:.3f}; answers agree with F1 {summary['answer_f1']:.3f}.",
        f"Another first document: {summary['top_changed']}; another answer: "
        f"{summary['answer_changed']}; other documents cited: {summary['citations_changed']}; no longer "
        f"answered: {summary['newly_abstained']}; newly answered: {summary['newly_answered']}.",
        f"An answer takes {now['p50']:.0f} ms, before {before['p50']:.0f} ms (median).",
    ]
