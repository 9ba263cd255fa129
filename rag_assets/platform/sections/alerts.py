"""The section about alerts: who is told when something needs a person."""

from pydantic import Field, SecretStr

from .base import Section


class AlertSettings(Section):
    """Where alerts go; none by default."""

    deployment: str = Field(
        default="", description="What alerts call this deployment; empty: the machine's name."
    )
    webhook_url: SecretStr = Field(
        default=SecretStr(""), description="Receives every alert as JSON by POST."
    )
    webhook_token: SecretStr = Field(
        default=SecretStr(""), description="Sent to the webhook as a bearer token."
    )
    slack_url: SecretStr = Field(
        default=SecretStr(""), description="A Slack-compatible incoming webhook."
    )
    email_to: list[str] = Field(default=[], description="Addresses that get every alert.")
    email_from: str = Field(default="ragline@localhost", description="Sender of the e-mails.")
    smtp_url: SecretStr = Field(
        default=SecretStr("smtp://localhost:25"),
        description="smtp://[user:password@]host:port, smtps:// for TLS.",
    )
    templates_path: str = Field(
        default="", description="Folder of templates (<channel>.jinja) that win over ours."
    )
    timeout_seconds: float = Field(
        default=10.0, gt=0, description="Longest silence of a channel at an attempt."
    )
    attempts: int = Field(default=3, ge=1, le=10, description="Attempts to deliver to a channel.")
    repeat_hours: float = Field(
        default=24.0, ge=0, description="An alert that goes on is sent again after so long."
    )
