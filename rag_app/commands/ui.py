"""``ragline ui``."""

import os
import signal
import subprocess
import sys
from functools import partial
from typing import Annotated

import typer

from rag_app.output import AsJson, print_json


def ui(
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 3000,
    host: Annotated[
        str, typer.Option("--host", help="The UI has no login: keep it on loopback.")
    ] = "127.0.0.1",
    as_json: AsJson = False,
) -> None:
    """Open the Dagster UI: webserver, daemon and code location, until Ctrl-C."""
    from rag_assets.platform.processes import end_with_parent
    from rag_assets.platform.settings import load_settings
    from rag_jobs.instance import prepare_dagster_home

    settings = load_settings()
    home = prepare_dagster_home(settings)
    address = f"http://{host}:{port}"
    if as_json:
        print_json({"url": address, "dagster_home": str(home)})
    else:
        typer.echo(f"Dagster UI: {address} (Ctrl-C stops it)")
    command = [
        sys.executable,
        "-m",
        "dagster",
        "dev",
        "-m",
        "rag_jobs.definitions",
        "--host",
        host,
        "--port",
        str(port),
    ]
    environment = {**os.environ, "DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "1"}
    process = subprocess.Popen(
        command,
        env=environment,
        # should this process be killed, Dagster ends itself
        preexec_fn=partial(end_with_parent, os.getpid(), signal.SIGTERM),
    )
    try:
        sys.exit(process.wait())
    except KeyboardInterrupt:
        process.wait()
