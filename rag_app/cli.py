"""The ``ragline`` command.

Nothing heavy is imported here: a command that finds nothing to do must be quick, so every command
imports what it needs when it runs.
"""

import os
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

import typer

from rag_app.commands import (
    alerts,
    audit,
    config,
    dashboard,
    evaluate,
    forget,
    ingest,
    keys,
    lineage,
    maintain,
    mcp,
    plan,
    prepare,
    query,
    questions,
    questions_feedback,
    releases,
    serve,
    status,
    ui,
    up,
    verify,
)

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
app.command("lineage")(lineage.lineage)
app.command("evaluate")(evaluate.evaluate)
app.command("dashboard")(dashboard.dashboard)
app.command("status")(status.status)
app.command("plan")(plan.plan)
app.command("verify")(verify.verify)
app.command("forget")(forget.forget)
app.command("maintain")(maintain.maintain)
app.add_typer(questions.questions_app, name="questions")
questions.questions_app.command("candidates")(questions_feedback.candidates)
questions.questions_app.command("accept")(questions_feedback.accept)
questions.questions_app.command("reject")(questions_feedback.reject)
app.add_typer(releases.app, name="releases")
app.add_typer(alerts.app, name="alerts")
app.add_typer(keys.app, name="keys")
app.add_typer(audit.app, name="audit")
app.command("config")(config.config)
app.command("serve")(serve.serve)
app.command("mcp")(mcp.mcp)
app.command("ui")(ui.ui)
app.command("up")(up.up)
app.command("prepare")(prepare.prepare)
app.command("exec", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(
    prepare.execute
)


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
        known = explained_error(error, Path(os.environ.get("RAG_HOME") or ".ragline"))
        if known is None:
            raise
        fail(known, as_json="--json" in arguments)


def entry() -> NoReturn:
    """Run the command line and end the process without Python's own tidying up.

    Everything is written and every lock is freed by then; unloading Dagster and LanceDB would only
    make the caller wait for most of a second.
    """
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - nothing may get past: the process ends below
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    entry()
