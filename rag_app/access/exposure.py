"""Where the service may listen without knowing who asks."""

import ipaddress
from functools import lru_cache
from typing import Any

from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.settings import Settings


@lru_cache(maxsize=256)  # asked with every request, mostly about the same name
def is_loopback(host: str) -> bool:
    """Whether an address or name reaches this machine only."""
    name = host.strip().strip("[]").lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def check_exposure(settings: Settings, host: str) -> None:
    """Refuse to serve everybody by mistake.

    Args:
        settings: of the deployment.
        host: the address that the service is going to listen on.

    Raises:
        ConfigurationError: others could reach it, and nobody would be asked who they are.
    """
    auth = settings.auth
    if auth.enabled or auth.allow_anonymous_beyond_loopback or is_loopback(host):
        return
    raise ConfigurationError(
        f"Authentication is off, and '{host}' can be reached from other machines.",
        "Set auth.enabled (see docs/security.md), listen on 127.0.0.1, or set "
        "auth.allow_anonymous_beyond_loopback if everybody who reaches it may ask.",
    )


def server_options(settings: Settings) -> dict[str, Any]:
    """What uvicorn has to be told: forwarded addresses count from configured proxies only.

    Returns:
        keyword arguments for ``uvicorn.run`` or ``uvicorn.Config``.
    """
    proxies = settings.server.trusted_proxies
    return {
        "proxy_headers": bool(proxies),
        "forwarded_allow_ips": list(proxies),
        "server_header": False,
        "date_header": True,
    }
