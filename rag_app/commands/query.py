"""``ragline ask`` and ``ragline search``."""

from typing import Annotated

import typer

from rag_app.output import AsJson, Groups, print_json, print_passage

Release = Annotated[int, typer.Option("--release", help="Ask this release; default the live one.")]

SHOWN = 300  # characters of a passage on a terminal


def search(
    query: Annotated[str, typer.Argument(help="A question or a few words.")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=100)] = 10,
    groups: Groups = "",
    release: Release = 0,
    as_json: AsJson = False,
) -> None:
    """Find passages in the released index."""
    engine, caller = _engine(groups, release)
    hits = engine.search(query, caller, limit)
    if as_json:
        print_json({"release": engine.release_info(), "hits": [hit.to_dict() for hit in hits]})
        return
    for number, hit in enumerate(hits, start=1):
        place = hit.document_id + (f", page {hit.page_first}" if hit.page_first else "")
        section = " › ".join(hit.heading_path)
        text = " ".join(hit.text.split())
        text = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
        print_passage(f"{number}. {hit.title}", f"{place}  {section}  {hit.score:.2f}", text)
    typer.echo(f"{len(hits)} passages from release {engine.release_info()['id']}")


def ask(
    question: Annotated[str, typer.Argument(help="A question.")],
    groups: Groups = "",
    release: Release = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="Passages to read.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Answer a question from the released index, with citations."""
    engine, caller = _engine(groups, release)
    answer = engine.ask(question, caller, limit)
    if as_json:
        print_json(answer.to_dict())
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(answer.answer, style="bold"))
    for citation in answer.citations:
        place = f", page {citation.page}" if citation.page else ""
        line = f"  [{citation.marker}] {citation.title} — {citation.document_id}{place}"
        console.print(Text(line, style="cyan"))
    console.print(Text(f"  release {answer.release['id']}", style="dim"))


def _engine(groups: str, release: int):  # type: ignore[no-untyped-def]
    from rag_assets.platform.platform import Platform
    from rag_assets.query.access import Caller
    from rag_assets.query.engine import QueryEngine

    platform = Platform.load()
    engine = QueryEngine(platform, release or None)
    engine.warm_up()
    caller = Caller.of(groups.split(","), authenticated=platform.settings.auth.enabled)
    return engine, caller
