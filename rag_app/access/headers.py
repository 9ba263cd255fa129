"""Headers that tell browsers to be careful with what the service sends: ASGI middleware.

A route that needs something else sets the header itself; what is set is left alone.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# everything a page loads comes from here; nothing stands in the page itself
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
# for bytes that somebody uploaded: they are never a page of ours
DOCUMENT_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"

_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    # answers are somebody's: no cache between may keep them
    "Cache-Control": "no-store",
}
_PLAIN = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
_SECURE = [*_PLAIN, (b"strict-transport-security", b"max-age=31536000")]


class SecurityHeaders:
    """Adds the headers to every response.

    Args:
        app: what is inside.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = _SECURE if scope["scheme"] == "https" else _PLAIN
                own = [pair for pair in message["headers"] if pair[0] != b"server"]
                names = {name for name, _ in own}
                message["headers"] = own + [pair for pair in added if pair[0] not in names]
            await send(message)

        await self._app(scope, receive, send_with_headers)
