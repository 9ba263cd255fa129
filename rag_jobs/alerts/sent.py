"""What was sent already: one small file an alert in the deployment's storage.

It lies where the tables lie, so that every process and machine of a deployment knows of it.
"""

import hashlib
import json
from datetime import UTC, datetime

from rag_assets.platform.platform import Platform

FOLDER = "alerts"


def last_sent(platform: Platform, key: str) -> dict[str, datetime]:
    """When an alert was sent last, by channel."""
    try:
        stored = json.loads(platform.storage.read(_place(key)))
        return {name: datetime.fromisoformat(at) for name, at in stored["channels"].items()}
    except (KeyError, ValueError):  # none, or a damaged one: better twice than never
        return {}


def remember_sent(platform: Platform, key: str, channels: dict[str, datetime]) -> None:
    """Keep when an alert was sent, by channel."""
    stored = {"channels": {name: at.isoformat() for name, at in channels.items()}}
    platform.storage.write(_place(key), json.dumps(stored).encode())


def forget_sent(platform: Platform, before: datetime) -> int:
    """Remove what is remembered of alerts that were sent before a time; how many."""
    removed = 0
    for place in list(platform.storage.list(FOLDER)):
        try:
            stored = json.loads(platform.storage.read(place))
            newest = max(map(datetime.fromisoformat, stored["channels"].values()))
        except (KeyError, ValueError):
            newest = datetime.min.replace(tzinfo=UTC)
        if newest < before:
            platform.storage.delete(place)
            removed += 1
    return removed


def _place(key: str) -> str:
    return f"{FOLDER}/{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
