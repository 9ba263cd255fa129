"""Keeps web pages of other places from using the service through somebody's browser.

Without authentication, being on the machine is all the right there is, and a browser on the machine
runs everybody's pages. A page may send some requests anywhere (an upload, for one), and one whose
name is made to point here (DNS rebinding) could even read the answers. So the name that a request
asks for and the page that it comes from have to be ours.
"""

from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from rag_assets.platform.settings import Settings

from .body import Refuse
from .errors import ForeignRequest
from .exposure import is_loopback


class BrowserGuard:
    """ASGI middleware: refuses requests for other hosts, or from pages of other places.

    Args:
        app: what is inside.
        settings: of the deployment.
        refuse: sends the response of an error.
    """

    def __init__(self, app: ASGIApp, settings: Settings, refuse: Refuse) -> None:
        self._app = app
        server = settings.server
        self._hosts = {host.lower() for host in server.allowed_hosts}
        self._own = server.host.lower()
        self._loopback_only = is_loopback(server.host) and not settings.auth.enabled
        self._origins = {origin.rstrip("/").lower() for origin in server.cors_origins}
        # with authentication, a page would need a credential that no browser adds by itself
        self._checks_origin = not settings.auth.enabled
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class."""
        if scope["type"] in ("http", "websocket"):
            headers = dict(scope["headers"])
            host, origin = headers.get(b"host", b""), headers.get(b"origin")
            error = self._error(
                host.decode("latin-1"), None if origin is None else origin.decode("latin-1")
            )
            if error is not None:
                await self._refuse(scope, receive, send, error)
                return
        await self._app(scope, receive, send)

    def _error(self, host: str, origin: str | None) -> ForeignRequest | None:
        name = _name(host)
        if not self._is_ours(name):
            return ForeignRequest(
                "The service is not known by that host name.",
                "Use its own address, or add the name to server.allowed_hosts.",
            )
        if origin is None or not self._checks_origin or "*" in self._origins:
            return None
        same = urlsplit(origin).netloc.lower() == host.lower()
        if same or origin.rstrip("/").lower() in self._origins:
            return None
        return ForeignRequest(
            "Web pages of other places may not use this service.",
            "Add the page's origin to server.cors_origins if it may.",
        )

    def _is_ours(self, name: str) -> bool:
        if name in self._hosts:
            return True
        if self._loopback_only:
            return is_loopback(name) or name == self._own
        return not self._hosts


@lru_cache(maxsize=64)  # one client sends the same host again and again
def _name(host: str) -> str:
    """A Host header without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
