"""``ragline up``."""

import signal
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rag_app.output import AsJson, print_json

if TYPE_CHECKING:
    from pathlib import Path

    from rag_app.supervision.service import Service
    from rag_assets.platform.settings import Settings

LOOPBACK = "127.0.0.1"
# what the instance's sensors and schedules are known under, in ``ragline ui`` too
LOCATION = "rag_jobs.definitions"
DAGSTER_SECONDS = 30.0  # runs that are under way are ended, and finished by the next ones
NAME_WIDTH = 12


def up(
    host: Annotated[
        str | None, typer.Option("--host", help="Of the API and the pages; default server.host.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=65535, help="Of the API; default server.port."),
    ] = None,
    dagster_port: Annotated[
        int, typer.Option("--dagster-port", min=1, max=65535, help="Of the Dagster UI.")
    ] = 3000,
    as_json: AsJson = False,
) -> None:
    """Run everything on this machine: API, chat page, Dagster UI, daemon; Ctrl-C ends all of it."""
    import os
    import tempfile
    from pathlib import Path

    from rag_app.access.exposure import check_exposure
    from rag_app.supervision.supervisor import Supervisor
    from rag_assets.platform.settings import load_settings
    from rag_jobs.instance import prepare_dagster_home

    settings = load_settings()
    host, port = host or settings.server.host, port or settings.server.port
    check_exposure(settings, host)
    _check_free(host, port, "--port")
    _check_free(LOOPBACK, dagster_port, "--dagster-port")
    prepare_dagster_home(settings)
    stop = _stop_on_signals()

    def tell(line: str) -> None:
        typer.echo(line, err=as_json)

    # the path of a socket may be 107 bytes long: the state folder's is out of our hands
    with tempfile.TemporaryDirectory(prefix="ragline-") as place:
        services = _services(settings, Path(place), host, port, dagster_port)
        tell("Starting; this takes some seconds.")
        patience = max(DAGSTER_SECONDS, settings.server.shutdown_seconds)
        Supervisor(services, tell, stop, patience).run(
            lambda: _say_all_up(services, settings, as_json, os.getpid())
        )
    tell("Everything has ended.")


def _stop_on_signals() -> Event:
    """An event that Ctrl-C and the signals of service managers set; a second Ctrl-C waits for nobody."""
    stop = Event()

    def on_signal(number: int, _: Any) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    # a script starts what is behind "&" with SIGINT ignored
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    return stop


def _check_free(host: str, port: int, option: str) -> None:
    """Say that a port is taken before anything is started."""
    import socket

    from rag_assets.platform.errors import ConfigurationError

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # as servers do: connections of a server that has just ended do not count
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            raise ConfigurationError(
                f"Nothing can listen on {host}, port {port}: {error.strerror}.",
                f"End what listens there, or name another one with {option}.",
            ) from error


def _services(
    settings: "Settings", place: "Path", host: str, port: int, dagster_port: int
) -> "list[Service]":
    """The API, and the three processes of Dagster, which share one code server."""
    import sys
    import time
    from functools import partial
    from pathlib import Path

    from rag_app.supervision.health import answers, daemons_beat, takes_connections
    from rag_app.supervision.service import Service

    logs = settings.state_path / "logs"
    programs = Path(sys.executable).parent
    code, workspace = place / "code.sock", place / "workspace.yaml"
    # JSON is YAML too
    workspace.write_text(_workspace(code), encoding="utf-8")
    shared = ("-w", str(workspace))
    ui = f"http://{LOOPBACK}:{dagster_port}"
    shown = "localhost" if host in ("0.0.0.0", "::") else host
    api = f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
    quiet = {"DAGSTER_DISABLE_TELEMETRY": "1", "PYTHONUNBUFFERED": "1"}
    linked = {} if "dagster_url" in settings.model_fields_set else {"RAG_DAGSTER_URL": ui}
    serve = (sys.executable, "-m", "rag_app.cli", "serve", "--host", host, "--port", str(port))
    grpc = ("dagster", "api", "grpc", "--socket", str(code), "-m", LOCATION, "--location-name")
    return [
        Service(
            "API",
            serve,
            partial(answers, f"{api}/healthz"),
            logs / "api.log",
            shown=(("Chat page", f"{api}/"), ("Quality", f"{api}/evals/"), ("API", f"{api}/v1")),
            environment=quiet | linked,
        ),
        Service(
            "Dagster code server",
            (str(programs / grpc[0]), *grpc[1:], LOCATION, "--use-python-environment-entry-point"),
            partial(takes_connections, code),
            logs / "dagster-code.log",
            environment=quiet | linked,
        ),
        Service(
            "Dagster webserver",
            (str(programs / "dagster-webserver"), *shared, "-h", LOOPBACK, "-p", str(dagster_port)),
            partial(answers, f"{ui}/server_info"),
            logs / "dagster-webserver.log",
            needs=("Dagster code server",),
            shown=(("Dagster UI", ui),),
            environment=quiet,
        ),
        Service(
            "Dagster daemon",
            (str(programs / "dagster-daemon"), "run", *shared),
            partial(daemons_beat, ui, time.time()),
            logs / "dagster-daemon.log",
            needs=("Dagster code server",),
            environment=quiet | linked,
        ),
    ]


def _workspace(socket_path: "Path") -> str:
    import json

    server = {"socket": str(socket_path), "location_name": LOCATION}
    return json.dumps({"load_from": [{"grpc_server": server}]})


def _say_all_up(
    services: "list[Service]", settings: "Settings", as_json: bool, process: int
) -> None:
    from rag_assets.platform.platform import Platform
    from rag_assets.releases.registry import Registry

    addresses = {what: address for service in services for what, address in service.shown}
    live = Registry(Platform(settings).database).live()
    if as_json:
        print_json(
            {"addresses": addresses, "release": live.id if live else None, "process": process}
        )
        return
    for what, address in addresses.items():
        typer.echo(f"  {what:<{NAME_WIDTH}}{address}")
    if live is None:
        typer.echo("Nothing is released yet: the sensor brings in what the sources hold.")
    typer.echo(f"Logs are in {settings.state_path / 'logs'}. Ctrl-C ends everything.")
