"""``ragline ask`` and ``ragline search``."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_app.output import AsJson, Groups, print_json, print_passage
from rag_assets.platform.wording import counted

if TYPE_CHECKING:
    from rich.console import Console

    from rag_assets.platform.platform import Platform
    from rag_assets.query.access import Caller
    from rag_assets.query.answer import Answer, Citation
    from rag_assets.query.engine import QueryEngine

Release = Annotated[int, typer.Option("--release", help="Ask this release; default the live one.")]
AsOf = Annotated[
    str,
    typer.Option(
        "--as-of",
        help="The release that was live then: 2026-11-20 (the end of that day, UTC), "
        "2026-11-20T14:30+01:00, yesterday, '3 days ago', '2 hours ago'.",
    ),
]
Filter = Annotated[
    str,
    typer.Option(
        "--filter", help='Only what satisfies it, e.g. \'source = "wiki" and team = "hr"\'.'
    ),
]

SHOWN = 300  # characters of a passage on a terminal


def search(
    query: Annotated[str, typer.Argument(help="A question or a few words.")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=100)] = 10,
    filter: Filter = "",
    documents: Annotated[
        bool, typer.Option("--documents", help="Documents with their best passage.")
    ] = False,
    groups: Groups = "",
    release: Release = 0,
    as_of: AsOf = "",
    as_json: AsJson = False,
) -> None:
    """Find passages, or documents, in the released index."""
    engine, caller = _engine(groups, release, as_of)
    if documents:
        retrieval, found = engine.retrieve_documents(query, caller, limit, filter=filter)
        hits = [document.hit for document in found]
    else:
        retrieval = engine.retrieve(query, caller, limit=limit, filter=filter)
        hits = retrieval.hits
    # of the release that was searched: another one may be live by now
    searched = engine.release_info(retrieval.snapshot)
    if as_json:
        print_json({"release": searched, "hits": [hit.to_dict() for hit in hits]})
        return
    for number, hit in enumerate(hits, start=1):
        place = hit.document_id + (f", page {hit.page_first}" if hit.page_first else "")
        section = " › ".join(hit.heading_path)
        text = " ".join(hit.text.split())
        text = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
        print_passage(f"{number}. {hit.title}", f"{place}  {section}  {hit.score:.2f}", text)
    what = "document" if documents else "passage"
    typer.echo(f"{counted(len(hits), what)} from {_named(searched)}")


def ask(
    question: Annotated[str, typer.Argument(help="A question.")],
    groups: Groups = "",
    release: Release = 0,
    as_of: AsOf = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="Passages to read.")] = 10,
    filter: Filter = "",
    task: Annotated[str, typer.Option("--task", help="Prompt template; default query.task.")] = "",
    answerer: Annotated[
        str, typer.Option("--answerer", help="auto, extractive or llm; default query.answerer.")
    ] = "",
    stream: Annotated[
        bool, typer.Option("--stream", help="Print the answer as it is written.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Answer a question from the released index, with citations."""
    from rich.console import Console

    from rag_assets.query.answer import Answer
    from rag_assets.query.answering import Reset, Token

    engine, caller = _engine(groups, release, as_of)
    console = Console(highlight=False)
    events = engine.stream(question, caller, limit, filter=filter, task=task, answerer=answerer)
    for event in events:
        if isinstance(event, Answer):
            if as_json:
                print_json(event.to_dict())
            else:
                _print_answer(console, event, streamed=stream)
        elif stream and not as_json:
            if isinstance(event, Token):
                sys.stdout.write(event.text)
                sys.stdout.flush()
            elif isinstance(event, Reset):
                console.print(f"\n({event.reason}: the answer begins again)", style="yellow")


def _print_answer(console: "Console", answer: "Answer", *, streamed: bool) -> None:
    from rich.text import Text

    if streamed:
        console.print()
    else:
        console.print(Text(answer.answer, style="bold"))
    for citation in answer.citations:
        console.print(Text(f"  [{citation.marker}] {_place(citation)}", style="cyan"))
    if answer.closest:
        console.print(Text("  Closest:", style="dim"))
    for citation in answer.closest:
        quote = " ".join(citation.quote.split())
        console.print(Text(f"  {_place(citation)}: {quote[:SHOWN]}", style="dim"))
    facts = [_named(answer.release), answer.answerer, f"answer {answer.answer_id}"]
    if answer.weak_evidence:
        facts.append("weak evidence")
    if answer.confidence is not None:
        facts.append(f"confidence {answer.confidence:.0%}")
    if answer.usage.cost_usd:
        facts.append(f"{answer.usage.cost_usd:.5f} USD")
    if answer.degraded:
        facts.append("degraded: " + ", ".join(answer.degraded))
    console.print(Text("  " + " · ".join(facts), style="dim"))


def _place(citation: "Citation") -> str:
    page = f", page {citation.page}" if citation.page else ""
    copies = f" (also in {', '.join(citation.copies)})" if citation.copies else ""
    return f"{citation.title} — {citation.document_id}{page}{copies}"


def _named(release: dict[str, Any]) -> str:
    from rag_assets.releases.time_travel import shown

    return f"release {release['id']} of {shown(datetime.fromisoformat(release['created_at']))}"


def asked_release(platform: "Platform", release: int, as_of: str) -> int | None:
    """The release that the options ``--release`` and ``--as-of`` name; None: the live one.

    Raises:
        InvalidQuestion: both are given, or the moment is none or in the future.
        NoRelease: nothing was live then, or it has been removed.
    """
    from rag_assets.platform.errors import InvalidQuestion
    from rag_assets.releases.time_travel import parse_moment, release_as_of

    if release and as_of:
        raise InvalidQuestion("--release and --as-of both name a release.", "Give one of the two.")
    if not as_of:
        return release or None
    return release_as_of(platform, parse_moment(as_of, datetime.now(UTC))).id


def _engine(groups: str, release: int, as_of: str) -> "tuple[QueryEngine, Caller]":
    from rag_assets.platform.platform import Platform
    from rag_assets.query.access import Caller
    from rag_assets.query.engine import QueryEngine

    platform = Platform.load()
    engine = QueryEngine(platform, asked_release(platform, release, as_of))
    engine.warm_up()
    caller = Caller.of(groups.split(","), authenticated=platform.settings.auth.enabled)
    return engine, caller
