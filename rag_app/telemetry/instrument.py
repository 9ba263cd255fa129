"""Puts an application under observation: every request is counted, timed, traced and logged."""

import ipaddress
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response

from rag_assets.platform.settings import Settings

from .middleware import RequestTelemetry
from .state import PlatformState
from .tracing import start_tracing

CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8"
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
ADMIN = "admin"


def instrument(app: FastAPI, services: Any) -> None:
    """Count, time, trace and log every request; serve ``/metrics``.

    What gives requests their ids has to be added to the application after this, so that it is
    outside of it.

    Args:
        app: the application.
        services: its ``Services``; ``services.metrics`` counts.
    """
    settings: Settings = services.platform.settings
    services.metrics.add_state(PlatformState(services.platform))
    start_tracing(settings.telemetry)
    app.include_router(metrics_router(services))
    app.add_middleware(RequestTelemetry, metrics=services.metrics)


def metrics_router(services: Any) -> APIRouter:
    """The route that Prometheus reads."""
    router = APIRouter(tags=["health"])
    access = services.platform.settings.telemetry.metrics

    @router.get(
        "/metrics",
        include_in_schema=False,
    )
    def metrics(request: Request) -> Response:
        """For who may read it, see ``telemetry.metrics``."""
        if access == "off":
            raise HTTPException(404)
        if access == "everyone" or (access == "loopback" and is_from_this_machine(request)):
            return _exposition(services)
        principal = services.authenticator.principal(request.headers.get("authorization"))
        if services.platform.settings.auth.enabled and ADMIN in principal.scopes:
            return _exposition(services)
        raise HTTPException(403, "The metrics are for this machine and for administrators.")

    return router


def is_from_this_machine(request: Request) -> bool:
    """Whether a request comes from a process of this machine that is no proxy for somebody else."""
    if request.client is None or any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _exposition(services: Any) -> Response:
    return Response(services.metrics.exposition(), media_type=CONTENT_TYPE)
