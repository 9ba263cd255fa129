"""What an alert is, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["info", "warning", "error"]
Value = str | int | float
MAX_TEXT = 2000
MAX_VALUE = 500


@dataclass(frozen=True)
class Alert:
    """Something that a person should know.

    It leaves the deployment: it holds no text of documents, questions or answers, and no secret.

    Attributes:
        kind: what happened, for programs: ``run_failed``, ``release_rejected``, ``late``, ….
        title: what happened, in one line.
        text: what it means and what to do about it.
        severity: how urgent it is.
        key: what makes it the same alert as an earlier one, which is then not sent again for
            ``alerts.repeat_hours``; empty: it is always sent.
        fields: details by name.
        links: addresses by what they show.
    """

    kind: str
    title: str
    text: str = ""
    severity: Severity = "error"
    key: str = ""
    fields: Mapping[str, Value] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Delivery:
    """What became of an alert on one channel.

    Attributes:
        channel: its name.
        status: ``sent``; ``known``: sent a short while ago; ``failed``.
        reason: why it failed, or what is wrong with the template that was replaced by ours; it never
            holds the channel's address.
    """

    channel: str
    status: Literal["sent", "known", "failed"]
    reason: str = ""


def shortened(text: str, limit: int) -> str:
    """A text that fits; what is cut off is marked."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
