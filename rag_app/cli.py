"""The ``ragline`` command.

Nothing heavy is imported here: a command that finds nothing to do must be quick, so every command
imports what it needs when it runs.
"""

import sys
from typing import Any

import typer

from rag_app.commands import config, ingest, query, releases, status, ui

app = typer.Typer(
    name="ragline",
    help="A RAG data platform whose index is released like software.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("ingest")(ingest.ingest)
app.command("ask")(query.ask)
app.command("search")(query.search)
app.command("status")(status.status)
app.command("plan")(status.plan)
app.add_typer(releases.app, name="releases")
app.command("config")(config.config)
app.command("ui")(ui.ui)


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; errors meant for people are shown without a traceback."""
    from rag_app.output import fail
    from rag_assets.platform.errors import explained_error

    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        return app(args=arguments)
    except KeyboardInterrupt:
        typer.echo("Interrupted; nothing is lost: the next run goes on from here.", err=True)
        sys.exit(130)
    except Exception as error:
        known = explained_error(error)
        if known is None:
            raise
        fail(known, as_json="--json" in arguments)


if __name__ == "__main__":
    main()
