"""ASGI middleware: what is known of every request, as numbers, as a span and as a line of the log."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rag_assets.platform.telemetry import NO_STEP, Step, server_step

from .context import RequestContext, enter
from .metrics import Metrics

logger = logging.getLogger("ragline.access")

OTHER = "other"
# asked every few seconds by machines: their lines are for those who look for them
QUIET = ("/healthz", "/readyz", "/metrics")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class RequestTelemetry:
    """See the module's docstring.

    Args:
        app: what is inside.
        metrics: what counts.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        method = scope["method"] if scope["method"] in METHODS else OTHER
        request = RequestContext(request_id=str(state.get("request_id", "")), method=method)
        course = _Course(scope, request, self._metrics)

        async def observed_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                course.status = message["status"]
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                course.complete = True

        enter(request)
        with server_step(method, dict(_text_headers(scope))) as step:
            course.step = step
            with course.running():
                await self._app(scope, receive, observed_send)


class _Course:
    """One request from its first to its last byte."""

    def __init__(self, scope: Scope, request: RequestContext, metrics: Metrics) -> None:
        self._scope = scope
        self._request = request
        self._metrics = metrics
        self.step: Step = NO_STEP
        self.status = 0
        self.complete = False

    @contextmanager
    def running(self) -> Iterator[None]:
        started = time.perf_counter()
        self._metrics.change("ragline_http_requests_in_progress", 1)
        try:
            yield
        finally:
            self._metrics.change("ragline_http_requests_in_progress", -1)
            self._end(time.perf_counter() - started)

    def _end(self, seconds: float) -> None:
        request, metrics = self._request, self._metrics
        request.route = route_of(self._scope)
        principal = self._scope["state"].get("principal")
        request.principal = request.principal or getattr(principal, "name", "")
        # 499: the client left before anything was answered; 500: nothing ever was
        status = self.status or 499
        metrics.count(
            "ragline_http_requests_total",
            route=request.route,
            method=request.method,
            status=str(status),
        )
        metrics.observe("ragline_http_request_seconds", seconds, route=request.route)
        if status in (401, 403):
            metrics.count("ragline_auth_failures_total", status=str(status))
        if status == 429:
            metrics.count("ragline_rate_limited_total")
        self._describe(status)
        self._log(status, seconds)

    def _describe(self, status: int) -> None:
        self.step.rename(f"{self._request.method} {self._request.route}")
        self.step.set(
            {
                "http.route": self._request.route,
                "http.response.status_code": status,
                "ragline.request_id": self._request.request_id,
                "ragline.answer_id": self._request.answer_id,
            }
        )
        if status >= 500:
            self.step.fail(str(status))

    def _log(self, status: int, seconds: float) -> None:
        quiet = self._request.route in QUIET and status < 500
        fields: dict[str, Any] = {
            "status": status,
            "duration_ms": round(seconds * 1000, 1),
            "complete": self.complete,
        }
        logger.log(
            logging.DEBUG if quiet else logging.WARNING if status >= 500 else logging.INFO,
            "%s %s %d",
            self._request.method,
            self._request.route,
            status,
            extra=fields,
        )


def route_of(scope: Scope) -> str:
    """The template of a request's path; one name for all paths that are no route."""
    route = scope.get("route")
    template = getattr(route, "path_format", "") or getattr(route, "path", "")
    if template:
        return str(template)
    # a mounted application has its own routes; what it is mounted at is ours
    mounted = str(scope.get("root_path", ""))
    if mounted and scope.get("endpoint") is not None:
        return mounted
    return OTHER


def _text_headers(scope: Scope) -> Iterator[tuple[str, str]]:
    for name, value in scope["headers"]:
        yield name.decode("latin-1"), value.decode("latin-1")
