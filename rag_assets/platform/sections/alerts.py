"""The section about alerts: who is told when something needs a person."""

from pydantic import Field, SecretStr

from .base import Section


class AlertSettings(Section):
    """Where alerts go; none by default."""

    webhook_url: SecretStr = Field(
        default=SecretStr(""), description="Receives every alert as JSON by POST."
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
    timeout_seconds: float = Field(default=10.0, gt=0, description="Longest delivery attempt.")
