"""``ragline serve``."""

import os
import signal
from typing import Annotated, Any

import typer

APPLICATION = "rag_app.api.app:application"


def serve(
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on; default server.host.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65535, help="0: any that is free; default server.port."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; default server.workers.")
    ] = None,
) -> None:
    """Serve the HTTP API until Ctrl-C; running answers are finished first."""
    from rag_app.access.exposure import check_exposure, server_options
    from rag_app.telemetry.logs import log_config
    from rag_app.telemetry.workers import numbers_together
    from rag_assets.platform.settings import load_settings

    settings = load_settings()
    server = settings.server
    host = server.host if host is None else host
    check_exposure(settings, host)
    # uvicorn sends a signal to itself once more when it has ended; it has done its work by then
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    options: dict[str, Any] = {
        "host": host,
        "port": server.port if port is None else port,
        "workers": server.workers if workers is None else workers,
        "timeout_graceful_shutdown": max(1, round(server.shutdown_seconds)),
        "timeout_worker_healthcheck": server.worker_silence_seconds,
        **server_options(settings),
        "log_config": log_config(settings),
    }
    # the processes read the settings themselves, wherever they find them now
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    # what may be done without authentication depends on it
    os.environ["RAG_SERVER__HOST"] = host
    # before anything imports the library that counts
    with numbers_together(options["workers"]):
        _run(options)


def _run(options: dict[str, Any]) -> None:
    if options["workers"] == 1:
        import uvicorn

        uvicorn.run(APPLICATION, factory=True, **options)
        return
    from rag_app.supervision.workers import run_workers

    if not run_workers(APPLICATION, **options):
        raise typer.Exit(1)
