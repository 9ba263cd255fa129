"""``ragline alerts``."""

import sys

import typer

from rag_app.output import AsJson, print_json, print_table

app = typer.Typer(help="Who is told when something needs a person.", no_args_is_help=True)


@app.callback()
def alerts() -> None:
    """Who is told when something needs a person."""


@app.command("test")
def try_channels(as_json: AsJson = False) -> None:
    """Send a test alert to every configured channel, and say what became of it."""
    from rag_assets.platform.errors import ConfigurationError
    from rag_assets.platform.platform import Platform
    from rag_jobs.alerts import Alert, send_alert

    platform = Platform.load()
    try:
        deliveries = send_alert(
            platform,
            Alert(
                kind="test",
                title="A test of the alerts",
                text="Somebody ran 'ragline alerts test'. Nothing is to be done.",
                severity="info",
                links={"Dagster": platform.settings.dagster_url},
            ),
        )
    finally:
        platform.close()
    if not deliveries:
        raise ConfigurationError(
            "No channel for alerts is configured.",
            "Set RAG_ALERTS__WEBHOOK_URL, RAG_ALERTS__SLACK_URL or alerts.email_to.",
        )
    failed = [delivery for delivery in deliveries if delivery.status == "failed" or delivery.reason]
    if as_json:
        print_json({"ok": not failed, "deliveries": [item.__dict__ for item in deliveries]})
    else:
        rows = [(item.channel, item.status, item.reason) for item in deliveries]
        print_table("Alerts", ["channel", "status", "why"], rows)
    sys.exit(1 if failed else 0)
