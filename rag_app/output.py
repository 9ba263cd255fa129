"""What the command line prints: JSON for scripts on standard output, tables for people."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, NoReturn

import typer

from rag_assets.platform.errors import RaglineError

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Groups = Annotated[str, typer.Option("--groups", help="Groups of the caller, separated by commas.")]


def print_json(value: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table on standard output."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, title=title, title_justify="left", header_style="bold")
    for row in rows:
        # documents bring their own text: it is shown, never read as markup
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    Console().print(table)


def print_passage(heading: str, place: str, text: str) -> None:
    """Print one passage: a heading, where it is from, and the text, wrapped and indented."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text.assemble((heading, "bold"), "  ", (place, "cyan")))
    console.print(Padding(Text(text), (0, 0, 1, 4)))


def fail(error: RaglineError, *, as_json: bool, code: int = 1) -> NoReturn:
    """Show an error and end with a non-zero exit code."""
    if as_json:
        detail = {"type": type(error).__name__, "message": error.message, "hint": error.hint}
        print_json({"error": detail})
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False)
    console.print(Text.assemble(("Error: ", "bold red"), error.message))
    if error.hint:
        console.print(Text(error.hint))
    sys.exit(code)
