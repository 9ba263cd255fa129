"""``ragline ask`` and ``ragline search``."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from rag_app.output import AsJson, Groups, print_json, print_passage

if TYPE_CHECKING:
    from rich.console import Console

    from rag_assets.query.answer import Answer, Citation

Release = Annotated[int, typer.Option("--release", help="Ask this release; default the live one.")]
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
    as_json: AsJson = False,
) -> None:
    """Find passages, or documents, in the released index."""
    engine, caller = _engine(groups, release)
    if documents:
        found = engine.search_documents(query, caller, limit, filter=filter)
        hits = [document.hit for document in found]
    else:
        hits = engine.search(query, caller, limit, filter=filter)
    if as_json:
        print_json({"release": engine.release_info(), "hits": [hit.to_dict() for hit in hits]})
        return
    for number, hit in enumerate(hits, start=1):
        place = hit.document_id + (f", page {hit.page_first}" if hit.page_first else "")
        section = " › ".join(hit.heading_path)
        text = " ".join(hit.text.split())
        text = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
        print_passage(f"{number}. {hit.title}", f"{place}  {section}  {hit.score:.2f}", text)
    what = "documents" if documents else "passages"
    typer.echo(f"{len(hits)} {what} from release {engine.release_info()['id']}")


def ask(
    question: Annotated[str, typer.Argument(help="A question.")],
    groups: Groups = "",
    release: Release = 0,
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

    engine, caller = _engine(groups, release)
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
    facts = [f"release {answer.release['id']}", answer.answerer, f"answer {answer.answer_id}"]
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


def _engine(groups: str, release: int):  # type: ignore[no-untyped-def]
    from rag_assets.platform.platform import Platform
    from rag_assets.query.access import Caller
    from rag_assets.query.engine import QueryEngine

    platform = Platform.load()
    engine = QueryEngine(platform, release or None)
    engine.warm_up()
    caller = Caller.of(groups.split(","), authenticated=platform.settings.auth.enabled)
    return engine, caller
