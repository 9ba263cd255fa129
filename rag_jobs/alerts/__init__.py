"""Who is told when something needs a person: alerts, their channels, and what was sent already."""

from .alert import Alert, Delivery, Severity
from .kinds import late_asset, rejected_release, run_link
from .send import send_alert

__all__ = [
    "Alert",
    "Delivery",
    "Severity",
    "late_asset",
    "rejected_release",
    "run_link",
    "send_alert",
]
