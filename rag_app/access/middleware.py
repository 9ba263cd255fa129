"""The layers around the application, from the outside: headers, CORS, browsers, body size."""

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.settings import Settings

from .body import BodyLimit, Refuse
from .browsers import BrowserGuard
from .headers import SecurityHeaders

_METHODS = ("GET", "POST", "DELETE")
_REQUEST_HEADERS = ("Authorization", "Content-Type", "X-Request-ID")
_RESPONSE_HEADERS = (
    "X-Request-ID",
    "Retry-After",
    "RateLimit-Limit",
    "RateLimit-Remaining",
    "RateLimit-Reset",
)


def install(app: FastAPI, settings: Settings, refuse: Refuse) -> None:
    """Put the layers around an application; what is added later is outside of them.

    Args:
        app: the application.
        settings: of the deployment.
        refuse: sends the response of an error, in the form of the application's other errors.

    Raises:
        ConfigurationError: any web page could use a service that asks nobody who they are.
    """
    origins = settings.server.cors_origins
    if "*" in origins and not settings.auth.enabled:
        raise ConfigurationError(
            "server.cors_origins = ['*'] lets every web page use this service, and auth.enabled is off.",
            "Name the origins, or set auth.enabled.",
        )
    # the last one added is the outermost
    app.add_middleware(BodyLimit, settings=settings.server, refuse=refuse)
    app.add_middleware(BrowserGuard, settings=settings, refuse=refuse)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=[origin.rstrip("/") for origin in origins],
            allow_methods=_METHODS,
            allow_headers=_REQUEST_HEADERS,
            expose_headers=_RESPONSE_HEADERS,
        )
    app.add_middleware(SecurityHeaders)
