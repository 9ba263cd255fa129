"""Whether services do their work, asked the way their users would."""

import socket
from pathlib import Path
from typing import Any

import httpx

SECONDS = 2.0
DAEMONS = "{ instance { daemonHealth { allDaemonStatuses { required lastHeartbeatTime } } } }"


def answers(url: str) -> bool:
    """Whether a GET is answered with 200."""
    try:
        return httpx.get(url, timeout=SECONDS, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def takes_connections(path: Path) -> bool:
    """Whether somebody listens at a Unix socket; a code server does once its code is loaded."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(SECONDS)
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


def daemons_beat(webserver: str, since: float) -> bool:
    """Whether every part of the Dagster daemon that is needed has shown itself.

    Args:
        webserver: address of the Dagster UI, which knows.
        since: a moment (seconds since 1970): what an earlier daemon left does not count.
    """
    try:
        said = httpx.post(
            f"{webserver}/graphql", json={"query": DAEMONS}, timeout=SECONDS, trust_env=False
        ).json()
        statuses: list[dict[str, Any]] = said["data"]["instance"]["daemonHealth"][
            "allDaemonStatuses"
        ]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return False
    needed = [item for item in statuses if item["required"]]
    return bool(needed) and all((item["lastHeartbeatTime"] or 0.0) >= since for item in needed)
